// A card per status: its meaning, its evidence, and every way to get it.

import { control, here, send, tell } from "./api.js";
import { answer, code, codeBadge } from "./answer.js";
import { badge, button, choices, copier, find, h, none, say } from "./dom.js";
import * as wire from "./wire.js";

const PASSWORD = "correct horse battery staple";
const cards = new Map();
const shown = { text: "", code: "" };

export async function start() {
  const statuses = successFirst(await control("GET", "statuses"));
  const usual = mostCommon(statuses.map((status) => status.request.path));
  for (const status of statuses) cards.set(status.slug, card(status, usual));
  find("#cards").replaceChildren(...Array.from(cards.values(), (each) => each.element));
  const codes = [...new Set(statuses.map((status) => String(status.code)))].sort();
  const options = [["", "All"], ...codes.map((each) => [each, each])];
  find("#codes").replaceWith(choices("HTTP code", options, (chosen) => filter({ code: chosen })));
  find("#filter").addEventListener("input", (event) => filter({ text: event.target.value }));
  filter({});
  return statuses;
}

/** Returns the statuses in the order of the contract, but with those of a success first. */
const successFirst = (statuses) => [...statuses].sort((one, other) => (one.code >= 300) - (other.code >= 300));

/** Shows which statuses were met, according to the coverage report. */
export function showMet(statuses) {
  for (const { slug, natural, forced } of statuses) cards.get(slug)?.met(natural, forced);
}

function filter(change) {
  Object.assign(shown, change);
  const words = shown.text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { element, status } of cards.values()) {
    const text = `${status.slug} ${status.code} ${status.meaning} ${status.stage}`.toLowerCase();
    const fits = words.every((word) => text.includes(word));
    element.hidden = !fits || (shown.code !== "" && shown.code !== String(status.code));
    count += element.hidden ? 0 : 1;
  }
  find("#found").textContent = `${count} of ${cards.size}`;
  find("#nothing-found").hidden = count > 0;
}

function card(status, usual) {
  const met = h("p", { class: "met" });
  const result = h("div", { class: "result" });
  const snippets = h("div", { class: "snippets", hidden: true, id: `snippets-${status.slug}` });
  const title = h("h3", { id: `status-${status.slug}` }, status.slug);
  const toggle = button("Code", () => {
    snippets.hidden = !snippets.hidden;
    toggle.setAttribute("aria-expanded", String(!snippets.hidden));
    if (snippets.hidden) return;
    snippets.replaceChildren(snippetsOf(status, usual));
    snippets.scrollIntoView({ block: "nearest" });
  }, { "aria-expanded": "false", "aria-controls": snippets.id, "aria-describedby": title.id, class: "plain" });
  const sender = button("Send it", async () => show(await forced(status)), { class: "main", "aria-describedby": title.id });
  const face = h(
    "div",
    { class: "card" },
    h("header", {}, codeBadge(status.code), title),
    h("p", { class: "meaning" }, status.meaning),
    badges(status),
    met,
    h(
      "div",
      { class: "actions" },
      sender,
      status.arrange === null
        ? null
        : button("Cause it naturally", async () => show(await natural(status, usual)), { "aria-describedby": title.id }),
      toggle,
    ),
    status.arrange === null
      ? h("p", { class: "quiet small" }, "Occurs naturally only with a certain setting of the server.")
      : null,
  );
  const element = h(
    "article",
    { class: "status", "aria-labelledby": title.id, "data-slug": status.slug },
    face,
    h("div", { class: "opened" }, result, snippets),
  );
  const close = button("Close", () => {
    result.replaceChildren();
    sender.focus();
  }, { class: "plain", "aria-label": "Close the response" });
  const show = (given) => {
    const other = given.value && given.value.status !== status.slug;
    result.replaceChildren(
      h("div", { class: "above" }, h("h4", {}, `Response for ${status.slug}`), close),
      ...(other
        ? [h("p", { class: "note" }, "The state of this world leads to another response; Traffic shows why. Reset the world to start over.")]
        : []),
      answer(given),
    );
    result.scrollIntoView({ block: "nearest" });
    say(`${status.slug}: ${given.broken === undefined ? `response ${given.code}` : "no response"}.`);
    tell("state");
  };
  return { element, status, met: (natural, forced) => showCounts(met, natural, forced) };
}

function badges({ evidence, uncommon, alias_of }) {
  const parts = Map.groupBy
    ? Map.groupBy(Object.entries(evidence), ([, { grade }]) => grade)
    : Object.entries(evidence).reduce((all, entry) => all.set(entry[1].grade, [...(all.get(entry[1].grade) ?? []), entry]), new Map());
  return h(
    "p",
    { class: "badges" },
    Array.from(parts, ([grade, entries]) =>
      badge(`${grade}: ${entries.map(([part]) => part.replaceAll("_", " ")).join(", ")}`, `grade-${grade}`, {
        title: entries.map(([, { key }]) => key).join(", "),
      }),
    ),
    uncommon ? badge("uncommon") : null,
    alias_of ? badge(`alias of ${alias_of}`) : null,
  );
}

function showCounts(place, natural, forced) {
  const kind = natural ? "natural" : forced ? "forced" : "never";
  const times = [natural ? `${natural} natural` : "", forced ? `${forced} forced` : ""].filter(Boolean);
  place.dataset.met = kind;
  place.textContent = times.length ? `Met: ${times.join(", ")}` : "Not met yet";
}

/** Minimal valid parameters, so that the response does not depend on the body. */
const params = (email = "ada@example.test") => ({
  application: "planoauth",
  client: { email, password: PASSWORD },
});

const prefer = (status) => `example=${status.slug}`;

const forced = (status) => send(here.route, wire.request(params(), prefer(status)));

let earlier = Promise.resolve();

/** Sets the faults, sends the request, restores the faults; one at a time, as faults are shared. */
function natural(status, usual) {
  const given = earlier.then(() => caused(status, usual));
  earlier = given.catch(() => null);
  return given;
}

async function caused(status, usual) {
  const request = await unspent(status.request);
  const before = await control("GET", "faults");
  await control("PUT", "faults", status.arrange);
  try {
    return await send(wire.inWorld(request.path, usual), request);
  } finally {
    await control("PUT", "faults", before);
  }
}

/** Returns the request, with another address if an earlier attempt has taken the example's. */
async function unspent(request) {
  const client = request.decoded?.client;
  if (typeof client?.email !== "string") return request;
  for (let number = 2, email = client.email; ; number += 1) {
    const [person] = await control("GET", `clients?email=${encodeURIComponent(email)}`);
    if (!person || person.persona !== null) {
      if (email === client.email) return request;
      return { ...request, body: wire.encoded({ ...request.decoded, client: { ...client, email } }) };
    }
    email = client.email.replace("@", `+${number}@`);
  }
}

function snippetsOf(status, usual) {
  const url = wire.inWorld(status.request.path, usual);
  const texts = {
    header: {
      curl: () => wire.curl.params(params(), prefer(status)),
      fetch: () => wire.fetching.params(params(), prefer(status)),
      playwright: () => wire.playwright.header(prefer(status)),
    },
    address: {
      curl: () => wire.curl.params(params(status.address)),
      fetch: () => wire.fetching.params(params(status.address)),
      playwright: () => wire.playwright.address(status.address),
    },
  };
  const ways = [["header", "By header"], ["address", "By address"]];
  if (status.arrange !== null) {
    ways.push(["natural", "By its cause"]);
    texts.natural = {
      curl: () => wire.curl.natural(url, status.request, status.arrange),
      fetch: () => wire.fetching.natural(url, status.request, status.arrange),
      playwright: () => wire.playwright.natural(url, status.request, status.arrange),
    };
  }
  const chosen = { way: "header", language: "curl" };
  const block = h("div");
  const draw = () => block.replaceChildren(code(texts[chosen.way][chosen.language](), "Code to copy"));
  draw();
  return h(
    "div",
    {},
    h(
      "div",
      { class: "above" },
      h("h4", {}, `Code for ${status.slug}`),
      choices("How to get it", ways, (way) => (Object.assign(chosen, { way }), draw())),
      choices("Language", [["curl", "curl"], ["fetch", "fetch"], ["playwright", "Playwright"]], (language) => (Object.assign(chosen, { language }), draw())),
      copier(() => block.textContent, `the code for ${status.slug}`),
    ),
    block,
    h("p", { class: "quiet small" }, "Magic address: ", h("code", {}, status.address)),
  );
}

function mostCommon(values) {
  const counted = new Map();
  for (const value of values) counted.set(value, (counted.get(value) ?? 0) + 1);
  return [...counted].sort((one, other) => other[1] - one[1])[0][0];
}
