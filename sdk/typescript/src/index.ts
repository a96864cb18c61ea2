/** Clients of the four processes. Every path, parameter, body and answer is typed by its document. */
import createClient, { type Client, type Middleware } from "openapi-fetch";

import type { paths as ApiPaths } from "./generated/api.js";
import type { paths as CommandPaths } from "./generated/commands.js";
import type { paths as GatewayPaths } from "./generated/gateway.js";
import type { paths as IdentityPaths } from "./generated/identity.js";

export type { components as Api } from "./generated/api.js";
export type { components as Commands } from "./generated/commands.js";
export type { components as Gateway } from "./generated/gateway.js";
export type { components as Identity } from "./generated/identity.js";

/** Where a process is, and the token that it is asked with. */
export interface Connection {
  url: string;
  token: string;
}

/** Reads: members, balances, stock, recommendations. */
export const api = (to: Connection): Client<ApiPaths> => createClient<ApiPaths>(options(to));

/** Commands that may be refused: holds of points, reservations of stock. */
export const commands = (to: Connection): Client<CommandPaths> =>
  createClient<CommandPaths>(options(to));

/** Facts that happened: append them. Each request says what this machine's clock shows. */
export const gateway = (to: Connection): Client<GatewayPaths> => {
  const client = createClient<GatewayPaths>(options(to));
  client.use(sentAt);
  return client;
};

/**
 * The header `Hitotsu-Event-Ages` of events that happened at these moments of `performance.now()` in
 * this process, in the order of the events; undefined where it is not known. An age is right even if
 * the clock is set between the event and the sending.
 */
export const eventAges = (moments: readonly (number | undefined)[]): string =>
  moments.map((at) => (at === undefined ? "" : ((performance.now() - at) / 1000).toFixed(1))).join(",");

/** Who is who: search, cases, decisions. */
export const identity = (to: Connection): Client<IdentityPaths> =>
  createClient<IdentityPaths>(options(to));

/** A new `Idempotency-Key`. Keep it: a command that is sent again needs the same. */
export const newKey = (): string => crypto.randomUUID();

const SENT_AT = "Hitotsu-Sent-At";
const sentAt: Middleware = {
  onRequest({ request }) {
    if (request.method === "POST" && !request.headers.has(SENT_AT)) {
      request.headers.set(SENT_AT, new Date().toISOString());
    }
    return request;
  },
};

const options = (to: Connection) => ({
  baseUrl: to.url,
  headers: { Authorization: `Bearer ${to.token}` },
});
