// Tests of a program with a fixed base URL. Its registrations go to the stub, and each test has a world.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";

import { register } from "../fetch/register.mjs";
import { inWorld, STUB_URL } from "../fetch/world.mjs";
import { registrations } from "./handlers.mjs";

const API = "https://api.example.com/api/v1";

const ada = {
  application: "planoauth",
  client: { email: "ada@example.test", password: "correct horse battery staple" },
};

const server = setupServer(http.get(`${API}/projects`, () => HttpResponse.json(["one"])));

before(() => server.listen({ onUnhandledRequest: stubOnly }));
afterEach(() => server.resetHandlers());
after(() => server.close());

/** Lets the tests call the stub, and nothing else. */
function stubOnly(request, print) {
  if (!request.url.startsWith(STUB_URL)) print.error();
}

test("by the rules: the second registration of an address fails", () =>
  inWorld(async ({ base, control }) => {
    server.use(registrations(base));
    assert.equal((await register(API, ada)).status, "action-successful");
    const envelope = await register(API, ada);
    assert.equal(envelope.status, "email-already-registered");
    assert.deepEqual(envelope.errors, [{ attr: "client.email", message: "taken" }]);
    assert.equal((await control("GET", "/outbox")).length, 1);
  }));

test("forced: any status, until another handler is used", () =>
  inWorld(async ({ base }) => {
    server.use(registrations(base, "mandrill-email-failed"));
    assert.equal((await register(API, ada)).status, "mandrill-email-failed");
    assert.equal((await register(API, ada)).status, "mandrill-email-failed");
    server.use(registrations(base));
    assert.equal((await register(API, ada)).status, "action-successful");
  }));

test("by script: the connection breaks, then the registration succeeds", () =>
  inWorld(async ({ base, control }) => {
    server.use(registrations(base));
    await control("PUT", "/next", [{ slug: "application-crash", fault: "reset" }]);
    await assert.rejects(register(API, ada), TypeError);
    assert.equal((await register(API, ada)).status, "action-successful");
  }));

test("other handlers respond as before", async () => {
  server.use(registrations(STUB_URL));
  const response = await fetch(`${API}/projects`);
  assert.deepEqual(await response.json(), ["one"]);
});
