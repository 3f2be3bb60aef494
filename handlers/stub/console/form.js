// The registration form: every parameter, the encoded request, and the response.

import { here, send, tell } from "./api.js";
import { answer, code, json } from "./answer.js";
import { badge, button, copier, find, guarded, h } from "./dom.js";
import { curl, encoded, request } from "./wire.js";

const VIEWS = [
  "default", "client_read", "planox_client_read_profile", "planox_client_read_tours",
  "planox_client_read_branding", "planox_client_read_preferences", "contract_type_view",
];

// Suggestions, not fixed choices: values that the server does not know are worth sending, too.
const CLIENT = [
  { attr: "client.email", label: "E-mail", wide: true, hint: "Or a magic address" },
  { attr: "client.password", label: "Password", wide: true, start: "correct horse battery staple" },
  { attr: "client.first_name", label: "First name" },
  { attr: "client.last_name", label: "Last name" },
  { attr: "client.phone", label: "Phone" },
  { attr: "client.company_id", label: "Company id", read: number, suggest: ["42", "43", "44"] },
  { attr: "client.company_name", label: "Company name", wide: true },
];
const CALL = [
  { attr: "application", label: "Application", start: "planoauth", suggest: ["planoauth", "planoorder", "planox2"] },
  { attr: "enterprise", label: "Enterprise", choose: ["", "true", "false"], read: truth },
  { attr: "token", label: "Token", hint: "Of a session; leave it empty to register as a visitor" },
  { attr: "view", label: "View", suggest: VIEWS },
  { attr: "application_view", label: "Application view", suggest: ["default"] },
  { attr: "session_view", label: "Session view", suggest: ["default"] },
];
const inputs = new Map();

/** Converts an integer. Other text is sent unchanged, so that the server can refuse it. */
function number(text) {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

function truth(text) {
  return text === "true";
}

export function start(statuses) {
  // Any status would do, but a failed mail is one that tests cannot get otherwise.
  const { address } = statuses.find(({ arrange }) => arrange?.mail_failures) ?? statuses[0];
  const form = find("#registration");
  find("#fields-client", form).append(...CLIENT.map(field));
  find("#fields-call", form).append(...CALL.map(field));
  form.addEventListener("input", (event) => {
    clearFault(event.target.dataset.attr);
    draw();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find("#register-it"), register);
  });
  find("#registration-actions").append(
    button("Clear the form", () => fill({}), { class: "plain" }),
  );
  find("#curl-tools").append(copier(() => find("#curl").textContent, "the curl command"));
  find("#wire-tools").append(copier(() => find("#wire").textContent, "the body"));
  find("#field-client-email-hint").append(", such as ", h("code", {}, address));
  fill(Object.fromEntries([...CLIENT, ...CALL].filter((each) => each.start).map((each) => [each.attr, each.start])));
}

/** Fills in `values` by attr; clears the other fields unless `keep` is set. */
export function fill(values, keep = false) {
  for (const [attr, { element }] of inputs) {
    if (!keep || attr in values) element.value = values[attr] ?? "";
    clearFault(attr);
  }
  clearFault("client");
  draw();
}

function field({ attr, label, read = (text) => text, suggest, choose, hint, wide }) {
  const id = `field-${attr.replace(".", "-")}`;
  const described = [`${id}-fault`, ...(hint ? [`${id}-hint`] : [])].join(" ");
  const common = { id, "data-attr": attr, "aria-describedby": described };
  const element = choose
    ? h("select", common, choose.map((each) => h("option", { value: each }, each || "not sent")))
    : h("input", { ...common, autocomplete: "off", spellcheck: "false", type: "text", list: suggest && `${id}-list` });
  inputs.set(attr, { element, read });
  return h(
    "div",
    { class: wide ? "field wide" : "field" },
    h("label", { for: id }, label, h("code", { class: "attr" }, attr.split(".").at(-1))),
    element,
    suggest ? h("datalist", { id: `${id}-list` }, suggest.map((each) => h("option", { value: each }))) : null,
    h("p", { class: "fault", id: `${id}-fault` }),
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
  );
}

/** Returns the parameters of the form, without empty fields. */
function params() {
  const found = {};
  for (const { attr } of [...CALL, ...CLIENT]) {
    const { element, read } = inputs.get(attr);
    if (element.value === "") continue;
    const [name, member] = attr.split(".");
    if (member) (found[name] ??= {})[member] = read(element.value);
    else found[name] = read(element.value);
  }
  return found;
}

function draw() {
  const held = params();
  find("#decoded").replaceChildren(json(held, "Decoded body"));
  find("#wire").replaceChildren(code(encoded(held), "Encoded body"));
  find("#curl").replaceChildren(code(curl.params(held), "curl command"));
}

async function register() {
  for (const attr of [...inputs.keys(), "client"]) clearFault(attr);
  const given = await send(here.route, request(params()));
  const errors = Array.isArray(given.value?.errors) ? given.value.errors : [];
  const elsewhere = errors.filter(({ attr, message }) => !showFault(attr, message));
  const result = find("#registration-result");
  result.replaceChildren(
    h("h3", {}, "Response"),
    answer(given),
    ...elsewhere.map(({ attr, message }) => h("p", {}, badge(attr, "bad"), ` ${message}`)),
  );
  const invalid = find('[aria-invalid="true"]', find("#registration"));
  if (invalid) invalid.focus();
  else result.scrollIntoView({ block: "nearest" });
  tell("state");
}

/** Shows `message` next to the field of `attr`; returns false if there is no such field. */
function showFault(attr, message) {
  const place = placeOf(attr);
  if (!place) return false;
  place.textContent = message.replaceAll("_", " ");
  inputs.get(attr)?.element.setAttribute("aria-invalid", "true");
  return true;
}

function clearFault(attr) {
  const place = placeOf(attr);
  if (place) place.textContent = "";
  inputs.get(attr)?.element.removeAttribute("aria-invalid");
}

const placeOf = (attr) =>
  attr ? document.getElementById(`field-${attr.replace(".", "-")}-fault`) : null;
