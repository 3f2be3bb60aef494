// A world of the stub for one test, with its own clients, script, faults and mails.

import { randomUUID } from "node:crypto";

export const STUB_URL = process.env.STUB_URL ?? "http://127.0.0.1:4018";

/**
 * Opens a new world. `base` is the base URL of the API, `control` calls the control plane of the world, and
 * `close` deletes it.
 */
export async function openWorld() {
  const name = `test-${randomUUID()}`;
  const root = `${STUB_URL}/_world/${name}`;
  const control = (method, path, body) => ask(root, method, path, body);
  const { base } = await control("GET", "/health");
  return { base: STUB_URL + base, control, close: () => ask(STUB_URL, "DELETE", `/worlds/${name}`) };
}

/** Runs `use` with a new world, and deletes the world afterwards. */
export async function inWorld(use) {
  const world = await openWorld();
  try {
    return await use(world);
  } finally {
    await world.close();
  }
}

/** Calls the control plane. Returns its response, or undefined if the body is empty. */
async function ask(root, method, path, body) {
  const answer = await fetch(`${root}/_mock${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
