import assert from "node:assert/strict";
import { test } from "node:test";

import { register } from "./register.mjs";
import { inWorld } from "./world.mjs";

const ada = {
  application: "planoauth",
  client: { email: "ada@example.test", password: "correct horse battery staple" },
};

test("a new address is registered and gets a welcome mail", () =>
  inWorld(async ({ base, control }) => {
    const envelope = await register(base, ada);
    assert.equal(envelope.status, "action-successful");
    assert.equal(envelope.data.email, "ada@example.test");
    const mail = await control("GET", "/outbox/latest?to=ada@example.test&wait=5");
    assert.equal(mail.to, "ada@example.test");
  }));

test("by natural cause: the second registration of an address fails", () =>
  inWorld(async ({ base }) => {
    await register(base, ada);
    const envelope = await register(base, ada);
    assert.equal(envelope.status, "email-already-registered");
    assert.deepEqual(envelope.errors, [{ attr: "client.email", message: "taken" }]);
  }));

test("by natural cause: the mail fails, but the address is registered", () =>
  inWorld(async ({ base, control }) => {
    await control("PUT", "/faults", { mail_failures: 1 });
    assert.equal((await register(base, ada)).status, "mandrill-email-failed");
    assert.equal((await register(base, ada)).status, "email-already-registered");
  }));

test("by header: any status, for one request", () =>
  inWorld(async ({ base }) => {
    const envelope = await register(base, ada, { Prefer: "example=session-expired" });
    assert.equal(envelope.status, "session-expired");
  }));

test("by script: a crash, then a success", () =>
  inWorld(async ({ base, control }) => {
    await control("PUT", "/next", ["application-crash"]);
    assert.equal((await register(base, ada)).status, "application-crash");
    assert.equal((await register(base, ada)).status, "action-successful");
  }));

test("by script: the connection breaks", () =>
  inWorld(async ({ base, control }) => {
    await control("PUT", "/next", [{ fault: "reset" }]);
    await assert.rejects(register(base, ada), TypeError);
  }));
