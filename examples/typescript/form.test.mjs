import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { submit } from "./build/form.js";

const stub = process.env.STUB_URL ?? "http://127.0.0.1:4018";
const base = `${stub}/_world/typescript-${randomUUID()}/api/v1`;

const registration = (email) => ({
  application: "planoauth",
  client: { email, password: "correct horse battery staple" },
});

test("a new client is welcomed", async () =>
  assert.match(await submit(base, registration("ada@example.test")), /^Welcome to PlanoAuth, client \d+$/));

test("a malformed address is reported", async () =>
  assert.equal(await submit(base, registration("ada")), "Please check client.email"));

test("a status that the address forces is reported", async () => {
  const told = await submit(base, registration("mandrill-email-failed@status.test"));
  assert.equal(told, "You are registered, but we could not send you an e-mail");
});
