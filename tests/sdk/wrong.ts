// Every line that ends in "wrong" must not compile, and nothing else may fail.
import { commands, gateway, identity } from "../src/index.js";

const to = { url: "", token: "" };
const id = "7b8d600c-def6-5047-9aba-62b955cf08a7";
const key = { "Idempotency-Key": "some" };

const held = await commands(to).POST("/v1/points/holds", {
  params: { header: key },
  body: {
    profile_id: id, channel: "STORE", points: 1,
    points_held: 1, // wrong
  },
});
held.data?.hold_id?.toUpperCase();
held.data?.held_id; // wrong
if (held.error?.status === 404) held.error.type satisfies "/problems/profile-not-found";
if (held.error?.status === 418) throw new Error(); // wrong
if (held.error?.type === "/problems/out-of-stock") throw new Error(); // wrong

await commands(to).POST("/v1/points/hold", { params: { header: key } }); // wrong

const captured = await commands(to).POST("/v1/points/holds/{id}/capture", {
  params: { path: { id } },
  body: {
    points: "1", // wrong
  },
});
captured.data?.points.toFixed();
captured.data?.points.toUpperCase(); // wrong

const reserved = await commands(to).POST("/v1/stock/reservations", {
  params: { header: key },
  body: {
    channel: "SHOP", // wrong
    lines: [{ sku: "1", quantity: 1 }],
  },
});
if (reserved.error?.type === "/problems/out-of-stock") reserved.error.lines.length;
reserved.error?.lines; // wrong

const found = await identity(to).GET("/v1/identity/cases/{id}", { params: { path: { id } } });
if (found.data?.kind === "pair") found.data.weight.toFixed();
if (found.data?.kind === "conflict") found.data.shared_with.length;
if (found.data?.kind === "conflict" && found.data.state === "closed") throw new Error(); // wrong
found.data?.weight; // wrong

await gateway(to).POST("/v1/events", {
  body: [
    {
      type: "PointsEarnt", // wrong
      meta: { event_id: id, occurred_at: "", producer: { system: "pos", channel: "STORE" } },
    },
  ],
});
