// Renders JSON and responses.

import { badge, h } from "./dom.js";

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Renders `value` as indented JSON with syntax highlighting. */
export function json(value, label) {
  const text = JSON.stringify(value, null, 2) ?? "";
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(TOKENS)) {
    nodes.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const kind = found[2] ? "key" : found[1] ? "string" : "word";
    nodes.push(h("span", { class: kind }, found[1] ?? found[0]), found[2] ?? "");
  }
  return code([...nodes, text.slice(end)], label);
}

/** Renders a block of code. It scrolls, so it has to be reachable by keyboard. */
export const code = (content, label) =>
  h("pre", { tabindex: "0", role: "region", "aria-label": label }, h("code", {}, content));

export const kind = (code) => `code-${String(code)[0]}`;

export const codeBadge = (code) => h("span", { class: `code ${kind(code)}` }, String(code));

/** Renders the result of `send`: code, status, headers, body. */
export function answer(given) {
  const took = h("span", { class: "quiet" }, `${given.milliseconds.toFixed(0)} ms`);
  if (given.broken !== undefined) {
    return h(
      "div",
      { class: "answer" },
      h("p", { class: "line" }, badge("no response", "bad"), took),
      h("p", {}, `The connection ended before the response was complete (${given.broken}).`),
    );
  }
  const status = given.value?.status;
  return h(
    "div",
    { class: "answer" },
    h(
      "p",
      { class: "line" },
      codeBadge(given.code),
      h("strong", {}, typeof status === "string" ? status : "no status"),
      given.forced ? badge(`forced by ${given.forced}`) : badge("by the real rules", "good"),
      took,
    ),
    given.value === null ? code(given.text, "Body") : json(given.value, "Body of the response"),
    h(
      "details",
      {},
      h("summary", {}, `Headers (${given.headers.length})`),
      h(
        "dl",
        { class: "headers" },
        given.headers.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
      ),
    ),
  );
}
