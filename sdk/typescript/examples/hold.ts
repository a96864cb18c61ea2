/** Earns points and receives units, holds some of both, and looks at a case. */
import { randomUUID } from "node:crypto";

import { type Identity, api, commands, eventAges, gateway, identity, newKey } from "../src/index.js";

type Case = Identity["schemas"]["PairCase"] | Identity["schemas"]["ConflictCase"];

const variable = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const till = variable("TILL");
const append = gateway({ url: variable("GATEWAY"), token: till });
const ask = api({ url: variable("API"), token: till });
const decide = commands({ url: variable("COMMANDS"), token: till });
const desk = identity({ url: variable("IDENTITY"), token: variable("STAFF") });

const now = Date.now();
const happened = performance.now();
const day = 86_400_000;
const at = (time: number): string => new Date(time).toISOString();
const meta = () => ({
  event_id: randomUUID(),
  occurred_at: at(now),
  producer: { system: "pos", channel: "STORE" as const, store_id: "S001" },
});

const profile = randomUUID();
const sku = `sku-${randomUUID().slice(0, 8)}`;
const lot = { lot_id: randomUUID(), points: 500, active_from: at(now - day), expires_at: at(now + 365 * day) };
const received = meta();

const appended = await append.POST("/v1/events", {
  params: { header: { "Hitotsu-Event-Ages": eventAges([happened, happened]) } },
  body: [
    { type: "StockReceived", meta: received, sku, location_id: "S001", quantity: 10 },
    { type: "PointsEarned", meta: meta(), profile_id: profile, lots: [lot] },
  ],
});
if (appended.error) {
  // 422 tells of each event; anything else is a problem
  throw new Error("results" in appended.error ? JSON.stringify(appended.error.results) : appended.error.detail);
}
console.log("appended", appended.data.results.map((result) => result.status).join(", "));

// facts are applied a moment later: until then the profile is not known and nothing is on the shelf
async function untilApplied(): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const member = await ask.GET("/v1/members/{member_id}/points", { params: { path: { member_id: profile } } });
    const stock = await ask.GET("/v1/stock/{sku}", { params: { path: { sku } } });
    if (member.data && stock.data && member.data.data.balance === 500) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the facts were not applied within ten seconds");
}
await untilApplied();

const key = newKey(); // kept until there is an answer: sent again, it is the same command
const held = await decide.POST("/v1/points/holds", {
  params: { header: { "Idempotency-Key": key } },
  body: { profile_id: profile, channel: "STORE", points: 300, ttl_seconds: 300 },
});
if (held.error) {
  // problems are told apart by their type, and each has members of its own
  if (held.error.type === "/problems/insufficient-points") throw new Error(`only ${held.error.available}`);
  throw new Error(held.error.detail);
}
console.log("held", held.data.points, "of", held.data.points + held.data.available);

const captured = await decide.POST("/v1/points/holds/{id}/capture", {
  params: { path: { id: held.data.hold_id ?? "" }, header: { "Idempotency-Key": newKey() } },
  body: { points: 200, transaction_id: randomUUID() },
});
if (captured.error) throw new Error(captured.error.detail);
console.log("captured", captured.data.points);

const reserved = await decide.POST("/v1/stock/reservations", {
  params: { header: { "Idempotency-Key": newKey() } },
  body: { channel: "STORE", lines: [{ sku, location_id: "S001", quantity: 2 }], ttl_seconds: 300 },
});
if (reserved.error) throw new Error(reserved.error.detail);
console.log("reserved", reserved.data.lines.map((line) => line.granted).join(", "));

function shown(found: Case): string {
  if (found.kind === "conflict") return `${found.profiles.length} profiles contradict each other`;
  return found.state === "open" ? `open, weight ${found.weight}` : `closed: ${found.outcome}`;
}

const found = await desk.GET("/v1/identity/cases/{id}", {
  params: { path: { id: process.argv[2] ?? randomUUID() }, header: { Purpose: "support" } },
});
if (found.data) console.log("case", shown(found.data));
else if (found.error.status === 404) console.log("case", found.error.type);
else throw new Error(found.error.detail);
