// The tasks without Cypress. What it passes to a task, and gets from one, is JSON.

import assert from "node:assert/strict";
import { test } from "node:test";

import { register } from "../fetch/register.mjs";
import { tasks } from "./tasks.mjs";

const ada = {
  application: "planoauth",
  client: { email: "ada@example.test", password: "correct horse battery staple" },
};

/** Runs a task as Cypress does. */
async function task(name, argument) {
  const result = await tasks[name](argument && JSON.parse(JSON.stringify(argument)));
  assert.notEqual(result, undefined, "Cypress refuses undefined");
  return JSON.parse(JSON.stringify(result));
}

test("a world is opened, scripted, read and deleted", async () => {
  const base = await task("openWorld");
  const other = await task("openWorld");
  await task("control", { base, method: "PUT", path: "/next", body: ["mandrill-email-failed"] });
  assert.equal((await register(other, ada)).status, "action-successful");
  assert.equal((await register(base, ada)).status, "mandrill-email-failed");
  assert.equal((await register(base, ada)).status, "action-successful");
  assert.equal(await task("control", { base, method: "DELETE", path: "/outbox" }), null);
  const names = (await task("control", { base, method: "GET", path: "/worlds" })).map(({ base }) => base);
  assert.ok(names.includes(new URL(base).pathname));
  assert.equal(await task("closeWorld", base), null);
  const left = (await task("control", { base: other, method: "GET", path: "/worlds" })).map(({ base }) => base);
  assert.ok(!left.includes(new URL(base).pathname));
  await task("closeWorld", other);
});

test("a mistake is told with its hint", async () => {
  const base = await task("openWorld");
  const misspelt = { base, method: "PUT", path: "/next", body: ["invalid-tokn"] };
  await assert.rejects(task("control", misspelt), /Did you mean invalid-token\?/);
  await task("closeWorld", base);
});
