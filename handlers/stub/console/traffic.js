// The request log of the world, live, with explanations.

import { control, here, tell } from "./api.js";
import { codeBadge, json } from "./answer.js";
import { badge, button, dangerous, find, h, moment, none } from "./dom.js";

// Rows kept on the page; the server's request log keeps more.
const KEPT = 200;

// Milliseconds between two polls, so that a busy stub is not queried all the time.
const CALM = 100;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const list = () => find("#rows");

export function start() {
  find("#traffic-tools").append(
    button("Save as HAR", save, { title: "For the network panel of a browser's developer tools" }),
    dangerous("Clear", "Clear all?", async () => {
      await control("DELETE", "requests");
      clear();
      tell("state");
    }),
  );
  find("#traffic-filter").addEventListener("input", narrow);
  clear();
  poll();
}

export function clear() {
  list().replaceChildren();
  narrow();
}

/** Downloads the request log as an HTTP Archive. A link could not send the control token. */
async function save() {
  const archive = await control("GET", "requests?format=har");
  const url = URL.createObjectURL(new Blob([JSON.stringify(archive)], { type: "application/json" }));
  h("a", { href: url, download: `${here.name}.har` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** Polls the request log forever. After a restart of the server, reads all of it again. */
async function poll() {
  let after = 0;
  for (;;) {
    try {
      const entries = await control("GET", `requests?after=${after}&wait=20`);
      if (find("#live").dataset.state === "gone") tell("state");
      live("live", "live");
      if (!entries.length) continue;
      after = entries.at(-1).number;
      list().prepend(...entries.slice(-KEPT).reverse().map(line));
      while (list().children.length > KEPT) list().lastElementChild.remove();
      narrow();
      tell("traffic");
      await pause(CALM);
    } catch {
      live("gone", "disconnected; reconnecting");
      await pause(2000);
      if (await starts()) {
        after = 0;
        list().replaceChildren();
      }
    }
  }
}

/** Whether the server responds again. */
async function starts() {
  try {
    await control("GET", "health");
    return true;
  } catch {
    return false;
  }
}

function live(state, text) {
  find("#live").dataset.state = state;
  if (find("#live").textContent !== text) find("#live").textContent = text;
}

function narrow() {
  const words = find("#traffic-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const each of list().children) {
    each.hidden = !words.every((word) => each.dataset.words.includes(word));
    count += each.hidden ? 0 : 1;
  }
  const empty = find("#no-traffic");
  empty.hidden = count > 0;
  empty.textContent = list().children.length
    ? "No request matches."
    : "No requests yet. Requests to this world appear here immediately.";
}

function line(entry) {
  const status = entry.status ?? (entry.forwarded_to ? "forwarded" : "problem reported by the stub");
  const body = h("div", { class: "more" });
  const details = h(
    "details",
    {
      ontoggle: () => {
        if (details.open && !body.children.length) body.append(...more(entry));
      },
    },
    h(
      "summary",
      {},
      codeBadge(entry.code),
      h(
        "span",
        { class: "headline" },
        h("strong", {}, status),
        entry.forced ? badge(`by ${entry.forced}`) : null,
        entry.forwarded_to ? badge("upstream") : null,
        entry.fault ? badge(entry.fault, "bad") : null,
        entry.client_left ? badge("client left", "bad") : null,
        entry.explanation.ignored.length ? badge(`${entry.explanation.ignored.length} ignored`, "bad") : null,
      ),
      time(entry.at),
      h("span", { class: "asked" }, `${entry.method} ${entry.path}`),
      h("span", { class: "took" }, `${entry.milliseconds.toFixed(1)} ms`),
    ),
    body,
  );
  const words = `${entry.code} ${status} ${entry.method} ${entry.path} ${entry.forced ?? ""} ${JSON.stringify(entry.params)}`;
  return h("li", { "data-words": words.toLowerCase(), "data-id": entry.id }, details);
}

/** The time by the world's clock; where there is room, with the day. */
function time(at) {
  const [day, ofDay] = moment(at).split(" ");
  return h("time", { datetime: at, title: `${day} ${ofDay} UTC by this world's clock` }, h("span", { class: "day" }, `${day} `), ofDay);
}

function more(entry) {
  const when = h(
    "p",
    { class: "quiet small" },
    `${moment(entry.at)} UTC by this world's clock · request ${entry.id}`,
  );
  if (entry.forwarded_to && !entry.status && !entry.params) {
    return [explanation(entry.explanation), none("Bodies of forwarded requests are not kept."), when];
  }
  return [
    h("h3", {}, "Why this response"),
    explanation(entry.explanation),
    h("h3", {}, "Decoded parameters"),
    entry.params === null ? none("No parameters were decoded.") : json(entry.params, "Decoded parameters"),
    h("h3", {}, "Response"),
    json(entry.answer, "Response"),
    when,
  ];
}

function explanation({ summary, passed, stopped, next }) {
  const step = (kind, mark, word, { sentence, errors, status }, tail = "") =>
    h(
      "li",
      { class: kind },
      h("span", { class: "mark", "aria-hidden": "true" }, mark),
      h(
        "span",
        {},
        h("span", { class: "unseen" }, `${word}: `),
        sentence,
        errors.map((each) => h("span", { class: "fault" }, h("code", {}, each.attr), ` ${each.message}`)),
        kind === "passed" ? null : h("span", { class: "quiet" }, `${tail}${status}`),
      ),
    );
  return h(
    "div",
    { class: "why" },
    h("p", {}, summary),
    passed.length || stopped
      ? h(
          "ol",
          {},
          passed.map((each) => step("passed", "✓", "passed", each)),
          stopped ? step("stopped", "✕", "violated", stopped, " → ") : null,
          next ? step("next", "→", "next", next, " would be violated next → ") : null,
        )
      : null,
  );
}
