// Fixtures of each test: a world of the stub, and the page that uses this world as its API.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { test as base } from "@playwright/test";
import { inWorld } from "../fetch/world.mjs";

const FOLDER = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };

export const test = base.extend({
  // As in production, the page and the API have different origins.
  site: [
    async ({}, use) => {
      const server = createServer(async (request, response) => {
        const { pathname } = new URL(request.url, "http://site");
        try {
          const content = await readFile(join(FOLDER, pathname));
          response.writeHead(200, { "Content-Type": TYPES[extname(pathname)] ?? "text/plain" });
          response.end(content);
        } catch {
          response.writeHead(404).end();
        }
      });
      await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
      await use(`http://127.0.0.1:${server.address().port}/playwright/index.html`);
      server.close();
    },
    { scope: "worker" },
  ],

  world: async ({}, use) => inWorld(use),

  form: async ({ page, site, world }, use) => {
    await page.goto(`${site}?${new URLSearchParams({ api: world.base })}`);
    await use(page);
  },
});

export { expect } from "@playwright/test";
