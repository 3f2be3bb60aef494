// @ts-check
import { defineConfig } from "cypress";

import { tasks } from "./tasks.mjs";

export default defineConfig({
  // Cypress serves the files of this folder.
  fileServerFolder: "..",
  video: false,
  screenshotOnRunFailure: false,
  e2e: {
    specPattern: "e2e/*.cy.js",
    supportFile: false,
    setupNodeEvents: (on) => on("task", tasks),
  },
});
