// The form of ../../playwright, served from another origin than the API's, as in production.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Page } from "@playwright/test";
import { test as base } from "clients-register-playwright";

const FOLDER = fileURLToPath(new URL("../..", import.meta.url));
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };

/** A page with the form, whose registrations go to the world of the test. */
export const test = base.extend<{ form: Page }, { site: string }>({
  site: [
    async ({}, use) => {
      const server = createServer(async (request, response) => {
        const { pathname } = new URL(request.url ?? "/", "http://site");
        try {
          const content = await readFile(join(FOLDER, pathname));
          response.writeHead(200, { "Content-Type": TYPES[extname(pathname)] ?? "text/plain" });
          response.end(content);
        } catch {
          response.writeHead(404).end();
        }
      });
      await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/playwright/index.html`);
      server.close();
    },
    { scope: "worker" },
  ],

  form: async ({ page, site, clientsRegister }, use) => {
    await page.goto(`${site}?${new URLSearchParams({ api: clientsRegister.base })}`);
    await use(page);
  },
});

/** Fills in the form and submits it. */
export async function register(form: Page, email: string): Promise<void> {
  await form.getByLabel("E-mail").fill(email);
  await form.getByLabel("Password").fill("richtig Pferd, Bättérie 🐎");
  await form.getByRole("button", { name: "Register" }).click();
}
