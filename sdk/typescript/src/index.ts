/** Clients of the four processes. Every path, parameter, body and answer is typed by its document. */
import createClient, { type Client } from "openapi-fetch";

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

/** Facts that happened: append them. */
export const gateway = (to: Connection): Client<GatewayPaths> =>
  createClient<GatewayPaths>(options(to));

/** Who is who: search, cases, decisions. */
export const identity = (to: Connection): Client<IdentityPaths> =>
  createClient<IdentityPaths>(options(to));

/** A new `Idempotency-Key`. Keep it: a command that is sent again needs the same. */
export const newKey = (): string => crypto.randomUUID();

const options = (to: Connection) => ({
  baseUrl: to.url,
  headers: { Authorization: `Bearer ${to.token}` },
});
