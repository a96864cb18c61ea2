// Writes src/generated/NAME.ts for each NAME=SOURCE: the types of that process's OpenAPI document.
// SOURCE is a file, or an address whose /openapi.json is read.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const NAMES = ["api", "commands", "gateway", "identity"];
const sources = new Map(
  process.argv.slice(2).map((word) => {
    const at = word.indexOf("=");
    return [word.slice(0, at), word.slice(at + 1)];
  }),
);
const missing = NAMES.filter((name) => !sources.get(name));
const unknown = [...sources.keys()].filter((name) => !NAMES.includes(name));
if (missing.length || unknown.length) {
  console.error("usage: npm run generate -- " + NAMES.map((name) => `${name}=FILE_OR_ADDRESS`).join(" "));
  console.error([
    ...missing.map((name) => `${name}: its document is not named`),
    ...unknown.map((name) => `${name || "a word without a name"}: there is no such process`),
  ].join("\n"));
  process.exit(2);
}

async function documentAt(source) {
  if (!/^https?:/.test(source)) return JSON.parse(await readFile(source, "utf-8"));
  const address = `${source.replace(/\/$/, "")}/openapi.json`;
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  return answer.json();
}

// a member with a default may be left out of what is sent, so it is optional
const folder = new URL("src/generated/", import.meta.url);
await mkdir(folder, { recursive: true });
for (const name of NAMES) {
  const types = await openapiTS(await documentAt(sources.get(name)), { defaultNonNullable: false });
  await writeFile(new URL(`${name}.ts`, folder), astToString(types));
}
