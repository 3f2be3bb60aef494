// Tasks for Cypress, whose specs run in the browser: each test has a world of the stub. A task cannot
// return undefined.

import { openWorld } from "../fetch/world.mjs";

// The open worlds, by their base URLs.
const worlds = new Map();

export const tasks = {
  /** Opens a world for a test; returns its base URL. */
  async openWorld() {
    const world = await openWorld();
    worlds.set(world.base, world);
    return world.base;
  },

  /** Calls the control plane of a world, such as `PUT /next` with a list of statuses to force. */
  async control({ base, method, path, body }) {
    return (await worlds.get(base).control(method, path, body)) ?? null;
  },

  /** Deletes a world. */
  async closeWorld(base) {
    await worlds.get(base).close();
    worlds.delete(base);
    return null;
  },
};
