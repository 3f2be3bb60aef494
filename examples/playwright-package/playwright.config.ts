import { existsSync } from "node:fs";

import { defineConfig } from "@playwright/test";
import type { WorkerFixtures } from "clients-register-playwright";

// The system's Chromium if there is one, otherwise that of `npx playwright install chromium`.
const system = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));

export default defineConfig<object, WorkerFixtures>({
  testDir: "tests",
  fullyParallel: true,
  reporter: "line",
  use: {
    // Without a URL, each worker starts a stub of its own.
    clientsRegisterOptions: process.env.STUB_URL ? { url: process.env.STUB_URL } : {},
    launchOptions: { executablePath: system, args: ["--no-sandbox"] },
  },
});
