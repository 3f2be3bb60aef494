// The worlds of the server: open, create or delete one, and reset this one.

import { control, here, read, tell } from "./api.js";
import { badge, button, copier, dangerous, find, guarded, h, row, say } from "./dom.js";
import { clear } from "./traffic.js";

export function start() {
  find("#base").textContent = here.base;
  find("#base-tools").append(copier(() => here.base, "the base URL"));
  find("#route").textContent = here.route;
  find("#route-tools").append(copier(() => here.route, "the route"));
  const { limit, idle_seconds: idle } = here.worlds;
  find("#world-limits").textContent =
    `At most ${limit}, this one included. One that was idle for ${idle} seconds may be removed to make room.`;
  find("#reset-tools").append(
    dangerous("Reset this world", "Reset everything?", async () => {
      await control("POST", "reset");
      clear();
      say("This world was reset.");
      tell("state");
    }, { id: "reset" }),
  );
  const form = find("#new-world");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find("button", form), async () => {
      const { name, copy } = form.elements;
      await control("PUT", `worlds/${encodeURIComponent(name.value)}`, copy.value ? { copy: copy.value } : {});
      say(`The world ${name.value} was created.`);
      name.value = "";
      await refresh();
    });
  });
}

export const refresh = () => read(["worlds"], show);

function show(worlds) {
  find("#world-rows").replaceChildren(...worlds.map(world));
  const { copy } = find("#new-world").elements;
  const chosen = copy.value;
  copy.replaceChildren(
    h("option", { value: "" }, "none: start with the personas"),
    ...worlds.map(({ name }) => h("option", { value: name }, name)),
  );
  copy.value = chosen;
}

function world({ name, base, clients, requests, idle_seconds }) {
  const current = name === here.name;
  return row([
    ["World", h("strong", {}, name), current ? badge("current", "good") : null],
    ["Base URL", h("span", { class: "typed" }, h("code", {}, base || "/"), copier(() => here.root + base, `the base URL of ${name}`))],
    ["Clients", h("span", { class: "number" }, clients === null ? "not opened yet" : String(clients))],
    ["Requests", h("span", { class: "number" }, String(requests))],
    ["Idle", h("span", { class: "number" }, `${Math.round(idle_seconds)} s`)],
    [
      "",
      h(
        "div",
        { class: "actions" },
        current ? null : h("a", { href: `${here.root}${base}/_mock/#worlds`, class: "button", "aria-label": `Open ${name}` }, "Open"),
        current || name === "default"
          ? null
          : dangerous("Delete", "Delete it?", async () => {
              await control("DELETE", `worlds/${encodeURIComponent(name)}`);
              say(`The world ${name} was deleted.`);
              await refresh();
            }, { "aria-label": `Delete ${name}` }),
      ),
    ],
  ]);
}
