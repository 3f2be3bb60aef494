// Building blocks of all parts of the page. Data always becomes text nodes, never HTML.

/** Builds an element. Keys with `on` are listeners, others attributes; `true` has no value. */
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

/** Builds an SVG element. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const find = (selector, within = document) => within.querySelector(selector);

/**
 * Replaces the children of `place`. The focus stays on the control of the same name, or goes to the
 * heading of the view if that control is gone.
 */
export function redraw(place, ...children) {
  const name = (each) => each.getAttribute("aria-label") ?? each.textContent;
  const focused = place.contains(document.activeElement) ? name(document.activeElement) : null;
  place.replaceChildren(...children);
  if (focused === null) return;
  const same = [...place.querySelectorAll("a, button")].find((each) => name(each) === focused);
  (same ?? find("h2", place.closest(".view"))).focus({ preventScroll: true });
}

/**
 * Shows a message, which screen readers announce. An error stays until it is closed or the next
 * action begins; the success of an earlier action does not hide it.
 */
export function say(text, kind = "good") {
  const told = find("#told");
  const message = h("p", { "data-kind": kind }, h("span", {}, text));
  find(`[data-kind="${kind}"]`, told)?.remove();
  told.append(message);
  if (kind === "bad") {
    message.append(h("button", { type: "button", class: "copy", "aria-label": "Close the message", onclick: closeError }, "Close"));
  } else setTimeout(() => message.remove(), 4000);
}

function closeError() {
  const error = find('#told [data-kind="bad"]');
  if (error?.contains(document.activeElement)) find("#main").focus({ preventScroll: true });
  error?.remove();
}

/** Shows the message of `error`, and its hint if it has one, as sentences. */
export function sayError({ message, hint }) {
  const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
  say([message, hint].filter(Boolean).map(sentence).join(" "), "bad");
}

/** Builds a button. It shows errors of `act`, and ignores clicks while `act` runs. */
export function button(text, act, attributes = {}) {
  return h("button", { type: "button", ...attributes, onclick: (event) => guarded(event.currentTarget, act) }, text);
}

/** Runs `act` for `control`, never twice at a time, and shows its errors. */
export async function guarded(control, act) {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  closeError();
  try {
    await act(control);
  } catch (error) {
    sayError(error);
  } finally {
    control.removeAttribute("aria-busy");
  }
}

/**
 * Builds a button that asks for confirmation before it acts; moving focus away cancels. The event
 * `calm` of the document says that it no longer asks.
 */
export function dangerous(text, question, act, attributes = {}) {
  const label = attributes["aria-label"];
  const made = button(
    text,
    async () => {
      if (made.dataset.armed) {
        calm();
        await act();
      } else {
        made.dataset.armed = "yes";
        made.textContent = question;
        if (label) made.setAttribute("aria-label", `${question} ${label}`);
        // Safari does not focus a button that is clicked.
        made.focus();
      }
    },
    { class: "danger", ...attributes, onblur: () => calm() },
  );
  const calm = () => {
    delete made.dataset.armed;
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    document.dispatchEvent(new Event("calm"));
  };
  return made;
}

/** Builds a button that copies the result of `text` and confirms it. */
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
    // Without TLS, the clipboard API is available only on loopback. A selected field can be copied.
    const field = h("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) throw new Error("The browser does not allow the page to copy. Select the text and copy it yourself.");
  }
}

/** Builds a row of radio buttons, which the arrow keys move through. */
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

/** Formats `2026-01-15T09:30:00.000Z` for people. */
export const moment = (text) => (text ? text.replace("T", " ").replace(/(\.\d+)?Z$/, "") : "never");

/** Builds a row of a table that becomes a list of cards on narrow screens. */
export const row = (cells) =>
  h("tr", {}, cells.map(([label, ...content]) => h("td", { "data-label": label }, h("div", {}, content))));

export const none = (text) => h("p", { class: "none" }, text);
