import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { encode } from "./encode.mjs";

const known = JSON.parse(readFileSync(new URL("known-answers.json", import.meta.url), "utf8"));

for (const { about, params, body } of known) {
  test(`encodes ${about}`, () => assert.equal(encode(params), body));
}

test("encodes a body as large as the route accepts", () => {
  const params = { client: { first_name: "ü".repeat(20_000) } };
  assert.deepEqual(JSON.parse(Buffer.from(encode(params), "base64").toString("utf8")), params);
});
