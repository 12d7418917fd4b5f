// Registers, logs in, checks the token, logs out, and sees the token refused — with a client whose types are generated
// from the server's own document. Give the server's address in AUTH_URL.
import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, paths } from "../generated/api.js";

const baseUrl = process.env["AUTH_URL"] ?? "http://127.0.0.1:5000";
const client = createClient<paths>({ baseUrl });

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
const name = `typescript-${Date.now()}`;
const credentials = { email: `${name}@example.org`, password: "correct horse battery staple" };

const registered = await client.POST("/auth/register", { body: { ...credentials, username: name } });
assert.equal(registered.response.status, 201, JSON.stringify(registered.error));

const again = await client.POST("/auth/register", { body: { ...credentials, username: name } });
const refusal: components["schemas"]["ErrorBody"] | undefined = again.error;
assert.equal(refusal?.code, "user_exists");

const login = await client.POST("/auth/login", { body: credentials });
// A page that asks for a cookie is answered with no token.
assert.ok(login.data && "Authorization" in login.data, JSON.stringify(login.error));
const { Authorization: token, public_id: userId, token_type: tokenType } = login.data;
assert.equal(tokenType, "Bearer");
assert.equal(registered.data?.public_id, userId);

const verified = await client.GET("/auth/verify", bearer(token));
assert.equal(verified.data?.user_id, userId);
assert.equal(verified.data?.admin, false);

const me = await client.GET("/user/me", bearer(token));
assert.equal(me.data?.username, name);

const found = await client.GET("/user/{public_id}", { params: { path: { public_id: userId } }, ...bearer(token) });
assert.equal(found.data?.email, credentials.email);

const listed = await client.GET("/user/", { params: { query: { limit: 10 } }, ...bearer(token) });
assert.equal(listed.error?.code, "admin_required");

const logout = await client.POST("/auth/logout", bearer(token));
assert.equal(logout.data?.message, "Successfully logged out.");

const refused = await client.GET("/auth/verify", bearer(token));
assert.equal(refused.response.status, 401);
assert.equal(refused.error?.code, "token_revoked");

console.log("typescript: registered, logged in, verified, logged out, refused");
