// Small things that every part of the page is built with. Data only ever becomes text nodes.

/** Builds an element. Keys with `on` are listeners, `class` and `data-...` attributes, `true` bare. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same for drawings. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const find = (selector, within = document) => within.querySelector(selector);

/** Tells everybody, those who listen to the page too. */
export function say(text, kind = "good") {
  const told = find("#told");
  told.dataset.kind = kind;
  told.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (told.textContent = ""), 6000);
}

/** A button; what `act` throws is told, and it takes no second click meanwhile. */
export function button(text, act, attributes = {}) {
  return h("button", { type: "button", ...attributes, onclick: (event) => guarded(event.currentTarget, act) }, text);
}

/** Runs `act` once at a time on behalf of `control`. */
export async function guarded(control, act) {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  try {
    await act(control);
  } catch (error) {
    say([error.message, error.hint].filter(Boolean).join(" "), "bad");
  } finally {
    control.removeAttribute("aria-busy");
  }
}

/** A button that asks once more before it acts; leaving it is the answer no. */
export function dangerous(text, question, act, attributes = {}) {
  const made = button(
    text,
    async () => {
      if (made.dataset.armed) {
        calm();
        await act();
      } else {
        made.dataset.armed = "yes";
        made.textContent = question;
      }
    },
    { class: "danger", ...attributes, onblur: () => calm() },
  );
  const calm = () => {
    delete made.dataset.armed;
    made.textContent = text;
  };
  return made;
}

/** A button that copies what `text` gives, and says that it did. */
export function copier(text, what) {
  const label = h("span", {}, "Copy");
  return h(
    "button",
    {
      type: "button",
      class: "copy",
      "aria-label": `Copy ${what}`,
      onclick: (event) =>
        guarded(event.currentTarget, async () => {
          await toClipboard(text());
          label.textContent = "Copied";
          say(`Copied ${what}.`);
          setTimeout(() => (label.textContent = "Copy"), 1500);
        }),
    },
    label,
  );
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Off loopback without TLS there is no clipboard; a selected field still copies.
    const field = h("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) throw new Error("The browser does not let the page copy; select the text instead.");
  }
}

/** Choices of which one holds, moved through with the arrow keys: a row of radio buttons. */
export function choices(legend, options, choose, { unseen = true } = {}) {
  const name = `choice-${(choices.count = (choices.count ?? 0) + 1)}`;
  const made = options.map(([value, text], index) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name, value, checked: index === 0, onchange: () => choose(value) }),
      h("span", {}, text),
    ),
  );
  return h("fieldset", { class: "choices" }, h("legend", { class: unseen ? "unseen" : "" }, legend), made);
}

export const badge = (text, kind = "", attributes = {}) =>
  h("span", { class: `badge ${kind}`, ...attributes }, text);

/** `2026-01-15T09:30:00.000Z` as people read it. */
export const moment = (text) => (text ? text.replace("T", " ").replace(/(\.\d+)?Z$/, "") : "never");

/** Cells of a table that becomes a list of cards where there is no room. */
export const row = (cells) =>
  h("tr", {}, cells.map(([label, ...content]) => h("td", { "data-label": label }, h("div", {}, content))));

export const none = (text) => h("p", { class: "none" }, text);
