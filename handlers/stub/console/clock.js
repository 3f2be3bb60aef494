// The clock of the world.

import { control, read, tell } from "./api.js";
import { button, find, guarded, h, moment, say } from "./dom.js";

const STEPS = [["+1 hour", "PT1H"], ["+72 hours", "PT72H"], ["+7 days", "P7D"]];

// Null until it is first read. Until then, the page assumes that the clock runs.
let clock = null;
let readAt = 0;

export function start() {
  find("#steps").append(
    ...STEPS.map(([text, advance]) =>
      button(text, async () => {
        show(await control("PUT", "clock", { advance }));
        say(`The clock of this world was advanced: ${text}.`);
        tell("state");
      }),
    ),
  );
  find("#clock-tools").append(
    button("Freeze", async () => {
      show(await control("PUT", "clock", { frozen: !clock?.frozen }));
      say(clock.frozen ? "Time is frozen." : "Time runs again.");
    }, { id: "freeze" }),
    button("Back to real time", async () => {
      show(await control("DELETE", "clock"));
      say("The clock shows real time again.");
      tell("state");
    }),
  );
  find("#set-clock").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find("#set-clock button"), async () => {
      const text = find("#clock-now").value;
      show(await control("PUT", "clock", { now: `${text.length === 16 ? `${text}:00` : text}Z` }));
      say("The clock was set.");
      tell("state");
    });
  });
  setInterval(tick, 250);
}

export const refresh = () => read(["clock"], show);

/** Returns the current time of the world in milliseconds. */
export function present() {
  if (!clock) return Date.now();
  return Date.parse(clock.now) + (clock.frozen ? 0 : performance.now() - readAt);
}

function show(read) {
  clock = read;
  readAt = performance.now();
  find("#freeze").textContent = clock.frozen ? "Unfreeze" : "Freeze";
  const ahead = Math.round(clock.ahead);
  find("#ahead").textContent =
    ahead === 0 && !clock.frozen ? "Real time" : `${span(ahead)} real time${clock.frozen ? ", frozen" : ""}`;
  if (!find("#clock-now").value) find("#clock-now").value = clock.now.slice(0, 19);
  tick();
}

function tick() {
  if (!clock) return;
  const [day, time] = moment(new Date(present()).toISOString()).split(" ");
  for (const [id, text] of [["#clock-day", day], ["#clock-time", time], ["#chip-day", day], ["#chip-time", time]]) {
    if (find(id).textContent !== text) find(id).textContent = text;
  }
  find("#chip").dataset.moved = String(clock.frozen || Math.abs(clock.ahead) >= 1);
}

function span(seconds) {
  if (seconds === 0) return "At";
  let rest = Math.abs(seconds);
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    if (count) parts.push(`${count} ${unit}`);
    rest -= count * size;
  }
  return `${parts.slice(0, 2).join(" ")} ${seconds > 0 ? "ahead of" : "behind"}`;
}
