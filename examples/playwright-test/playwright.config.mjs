import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

// The system's Chromium if there is one, otherwise that of `npx playwright install chromium`.
const system = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));

export default defineConfig({
  fullyParallel: true,
  reporter: "line",
  use: { launchOptions: { executablePath: system, args: ["--no-sandbox"] } },
});
