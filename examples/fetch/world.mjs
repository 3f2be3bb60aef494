// A world of the stub for one test, with its own clients, script, faults and mails.

import { randomUUID } from "node:crypto";

const STUB_URL = process.env.STUB_URL ?? "http://127.0.0.1:4018";

/** Runs `use` with a new world, and deletes the world afterwards. */
export async function inWorld(use) {
  const name = `fetch-${randomUUID()}`;
  const base = `${STUB_URL}/_world/${name}`;
  try {
    return await use({ base, control: (method, path, body) => ask(base, method, path, body) });
  } finally {
    await ask(STUB_URL, "DELETE", `/worlds/${name}`);
  }
}

/** Calls the control plane. Returns its response, or undefined if the body is empty. */
async function ask(base, method, path, body) {
  const answer = await fetch(`${base}/_mock${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
