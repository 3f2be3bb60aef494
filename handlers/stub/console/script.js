// The scripted responses and the faults of the world.

import { control, read, tell } from "./api.js";
import { badge, button, find, guarded, h, none, say } from "./dom.js";

export function start(statuses) {
  const form = find("#script-form");
  form.elements.slug.append(...statuses.map(({ slug, code }) => h("option", { value: slug }, `${code} ${slug}`)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find("button", form), async () => {
      const left = await control("GET", "next");
      showScript(await control("PUT", "next", [...left.map(bare), itemOf(form)]));
      say("Added to the script.");
    });
  });
  find("#script-tools").append(
    button("Clear", async () => {
      showScript(await control("DELETE", "next"));
      say("The script was cleared.");
    }),
  );
  const faults = find("#faults-form");
  faults.addEventListener("submit", (event) => event.preventDefault());
  faults.addEventListener("change", ({ target }) => {
    if (!target.reportValidity()) return;
    const change = { [target.name]: valueOf(target) };
    written = written.then(() => guarded(faults, () => write(change)));
  });
  find("#faults-tools").append(
    button("Clear the faults", async () => {
      showFaults(await control("DELETE", "faults"));
      say("The faults of this world were cleared.");
    }),
  );
}

export const refresh = () =>
  read(["next", "faults"], (items, faults) => {
    showScript(items);
    showFaults(faults);
  });

/** Returns an item as it can be sent back: without null members. */
const bare = (item) => Object.fromEntries(Object.entries(item).filter(([, value]) => value !== null));

function itemOf(form) {
  const item = {};
  for (const name of ["slug", "fault"]) {
    if (form.elements[name].value) item[name] = form.elements[name].value;
  }
  for (const name of ["times", "after", "delay", "rate"]) {
    if (form.elements[name].value !== "") item[name] = Number(form.elements[name].value);
  }
  return item;
}

function showScript(items) {
  find("#items").replaceChildren(...items.map(shown));
  find("#no-items").hidden = items.length > 0;
  find("#script-count").textContent = items.length ? String(items.reduce((sum, each) => sum + each.times, 0)) : "";
}

function shown({ slug, times, after, delay, rate, fault }) {
  return h(
    "li",
    {},
    h("strong", {}, slug ?? "the real rules"),
    badge(`${times} ×`),
    fault ? badge(fault, "bad") : null,
    after ? badge(`after ${after}`) : null,
    delay ? badge(`${delay} s delay`) : null,
    rate < 1 ? badge(`${Math.round(rate * 100)}% of responses`) : null,
  );
}

/** Returns the value of a form element as the control plane expects it. */
function valueOf({ type, value, checked }) {
  if (type === "checkbox") return checked;
  return type === "number" ? Number(value) : value || null;
}

// Changes are written one after another, so that none is lost.
let written = Promise.resolve();

/** Adds `change` to the current faults, which others may have changed in the meantime. */
async function write(change) {
  showFaults(await control("PUT", "faults", { ...(await control("GET", "faults")), ...change }));
  say("The faults of this world were changed.");
  tell("state");
}

function showFaults({ service_deployed, route_deployed, crash, mail_failures }) {
  const { elements } = find("#faults-form");
  elements.service_deployed.checked = service_deployed;
  elements.route_deployed.checked = route_deployed;
  elements.crash.value = crash ?? "";
  if (document.activeElement !== elements.mail_failures) elements.mail_failures.value = mail_failures;
  const broken = [!service_deployed, !route_deployed, crash, mail_failures].filter(Boolean).length;
  find("#faults-count").textContent = broken ? String(broken) : "";
}
