// The page as a whole: which view is shown, and what is reloaded after an event.

import { here, locate, news } from "./api.js";
import * as clock from "./clock.js";
import * as coverage from "./coverage.js";
import { find, sayError } from "./dom.js";
import * as form from "./form.js";
import * as outbox from "./outbox.js";
import * as people from "./people.js";
import * as script from "./script.js";
import * as statuses from "./statuses.js";
import * as traffic from "./traffic.js";
import * as worlds from "./worlds.js";

const FIRST = "statuses";

// What is refreshed for a view, in addition to what is always refreshed.
const VIEWS = {
  statuses: null,
  register: null,
  traffic: null,
  outbox,
  time: null,
  people,
  coverage: null,
  answers: script,
  worlds,
};

// Milliseconds within which events are combined, so that a busy stub is not queried all the time.
const CALM = 120;

let current = FIRST;

function show({ focus }) {
  const asked = location.hash.slice(1);
  // The skip link does not change the view.
  if (asked && !Object.hasOwn(VIEWS, asked)) return;
  current = asked || FIRST;
  document.body.dataset.view = current;
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    if (link.hash.slice(1) === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  centre(find('nav a[aria-current="page"]'));
  if (focus) {
    window.scrollTo(0, 0);
    find(`#${current} h2`).focus({ preventScroll: true });
  } else window.scrollTo(0, 0);
  refresh();
}

// On a phone the links are a scrolling row. scrollIntoView would also move the point from which Tab
// continues, past the skip link.
function centre(link) {
  const row = link.closest("nav");
  const [inner, outer] = [link.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
}

let due = false;
let refreshing = false;

// One refresh at a time: a slow one must not overwrite the result of a later one.
async function refresh() {
  due = true;
  if (refreshing) return;
  refreshing = true;
  while (due) {
    await new Promise((resolve) => setTimeout(resolve, CALM));
    due = false;
    const shown = [clock, coverage, ...(VIEWS[current] ? [VIEWS[current]] : [])];
    const results = await Promise.allSettled(shown.map((each) => each.refresh()));
    const failed = results.find((each) => each.status === "rejected");
    if (failed) sayError(failed.reason);
  }
  refreshing = false;
}

function themes() {
  const root = document.documentElement;
  const dark = () =>
    (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const toggle = find("#theme");
  const label = () => toggle.setAttribute("aria-pressed", String(dark()));
  toggle.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("clients-register.theme", root.dataset.theme);
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
}

async function start() {
  themes();
  await locate();
  document.title = `${here.name} · clients-register`;
  find("#world-name").textContent = here.name;
  find("#version").textContent = `stub ${here.version}, contract ${here.contract}`;
  clock.start();
  outbox.start();
  people.start();
  worlds.start();
  const known = await statuses.start();
  coverage.start(known);
  form.start(known);
  script.start(known);
  traffic.start();
  news.addEventListener("traffic", refresh);
  news.addEventListener("state", refresh);
  window.addEventListener("hashchange", () => show({ focus: true }));
  show({ focus: false });
  document.body.dataset.ready = "yes";
}

start().catch(({ message, hint }) => sayError({ message: `The page failed to start: ${message}`, hint }));
