// The worlds of the server: open, create or delete one, reset this one; save it, and restore it.

import { control, here, read, tell } from "./api.js";
import { badge, copier, dangerous, find, guarded, h, moment, redraw, row, say } from "./dom.js";
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
  onSubmit(find("#new-world"), async ({ name, source }) => {
    await control("PUT", `worlds/${encodeURIComponent(name.value)}`, JSON.parse(source.value));
    say(`The world ${name.value} was created.`);
    name.value = "";
  });
  onSubmit(find("#save-world"), async ({ name }) => {
    await control("PUT", `snapshots/${encodeURIComponent(name.value)}`);
    say(`This world was saved as ${name.value}.`);
    name.value = "";
  });
}

/** Runs `act` with the fields of `form` when it is submitted, and shows what has changed. */
function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find("button", form), async () => {
      await act(form.elements);
      await refresh();
    });
  });
}

export const refresh = () => read(["worlds", "snapshots"], show);

function show(worlds, snapshots) {
  redraw(find("#world-rows"), ...worlds.map(world));
  find("#snapshots").hidden = !snapshots.length;
  redraw(find("#snapshot-rows"), ...snapshots.map(snapshot));
  find("#no-snapshots").hidden = snapshots.length > 0;
  const { source } = find("#new-world").elements;
  // While somebody chooses, the options stay as they are.
  if (document.activeElement === source) return;
  const chosen = source.value;
  // The value of an option is the body of the request.
  const option = (body, text) => h("option", { value: JSON.stringify(body) }, text);
  source.replaceChildren(
    option({}, "none: start with the personas"),
    ...worlds.map(({ name }) => option({ copy: name }, name)),
    ...snapshots.map(({ name }) => option({ snapshot: name }, `snapshot ${name}`)),
  );
  if (chosen) source.value = chosen;
  if (source.selectedIndex < 0) source.selectedIndex = 0;
}

function world({ name, prefix, base, clients, requests, idle_seconds }) {
  const current = name === here.name;
  return row([
    ["World", h("strong", {}, name), current ? badge("current", "good") : null],
    ["Base URL", h("span", { class: "typed" }, h("code", {}, base || "/"), copier(() => here.server + base, `the base URL of ${name}`))],
    ["Clients", h("span", { class: "number" }, clients === null ? "not opened yet" : String(clients))],
    ["Requests", h("span", { class: "number" }, String(requests))],
    ["Idle", h("span", { class: "number" }, `${Math.round(idle_seconds)} s`)],
    [
      "",
      h(
        "div",
        { class: "actions" },
        current ? null : h("a", { href: `${here.server}${prefix}/_mock/#worlds`, class: "button", "aria-label": `Open ${name}` }, "Open"),
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

function snapshot({ name, world, saved_at: savedAt, clients, sessions, mails }) {
  const count = (number) => h("span", { class: "number" }, String(number));
  return row([
    ["Snapshot", h("strong", {}, name)],
    ["Of world", world],
    ["Saved at", h("span", { class: "number" }, moment(savedAt))],
    ["Clients", count(clients)],
    ["Sessions", count(sessions)],
    ["Mails", count(mails)],
    [
      "",
      h(
        "div",
        { class: "actions" },
        dangerous("Restore", "Replace this world?", async () => {
          await control("POST", "reset", { snapshot: name });
          clear();
          say(`This world was restored from ${name}.`);
          tell("state");
        }, { "aria-label": `Restore ${name}` }),
        dangerous("Delete", "Delete it?", async () => {
          await control("DELETE", `snapshots/${encodeURIComponent(name)}`);
          say(`The snapshot ${name} was deleted.`);
          await refresh();
        }, { "aria-label": `Delete the snapshot ${name}` }),
      ),
    ],
  ]);
}
