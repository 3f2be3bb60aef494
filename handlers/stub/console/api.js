// All requests to the server: to the control plane and to the route of this world. URLs are relative
// to the page, so that the page works in every world.

const TOKEN = "clients-register.control-token";

/** A problem returned by the control plane; `hint` says what to do next. */
export class Complaint extends Error {
  constructor({ title, detail, hint }) {
    super(detail ?? title);
    this.hint = hint;
  }
}

/** Notifies the parts of the page of an event: `traffic` or `state`. */
export const news = new EventTarget();
export const tell = (what) => news.dispatchEvent(new Event(what));

// The number of changes that this page has made.
let changes = 0;

/** Calls the control plane. Returns its response, or null if there is no body. Throws Complaint. */
export async function control(method, path, body, { signal } = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    const answer = await fetch(`./${path}`, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
    if (answer.status === 401) {
      await askForToken(token);
      continue;
    }
    const value = answer.status === 204 ? null : await answer.json();
    if (method !== "GET") changes += 1;
    if (!answer.ok) throw new Complaint(value);
    return value;
  }
}

/**
 * Reads `paths` and passes their values to `show`. Reads them again if the page has made a change in
 * the meantime, because outdated values would hide it, and after a button has asked for confirmation,
 * because `show` may replace the button.
 */
export async function read(paths, show) {
  for (;;) {
    const before = changes;
    const values = await Promise.all(paths.map((path) => control("GET", path)));
    if (document.activeElement?.dataset.armed) {
      await new Promise((resolve) => document.addEventListener("calm", resolve, { once: true }));
    } else if (changes === before) {
      return show(...values);
    }
  }
}

export const needsToken = () => sessionStorage.getItem(TOKEN) !== null;

let asked = null;

/** Asks the user for the token, once for all requests that need it. */
function askForToken(refused) {
  if (sessionStorage.getItem(TOKEN) !== refused) return Promise.resolve();
  asked ??= new Promise((resolve) => {
    const dialog = document.querySelector("#token");
    const field = dialog.querySelector("input");
    dialog.querySelector("#token-refused").hidden = refused === null;
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(TOKEN, field.value);
      asked = null;
      dialog.close();
      resolve();
    };
    // Without a token there is nothing to show, so the dialog cannot be canceled.
    dialog.oncancel = (event) => event.preventDefault();
    if (!dialog.open) dialog.showModal();
    field.select();
  });
  return asked;
}

/**
 * The world of this page: its `name`, and absolute URLs: `server` is that of the stub, `root` that of
 * the world, below which are `mock`, the control plane, `base`, the base URL, and `route`. `worlds` are
 * the limits of all worlds.
 */
export const here = { name: "", server: "", root: "", mock: "", base: "", route: "", worlds: {} };

export async function locate() {
  const health = await control("GET", "health");
  const [prefix] = location.pathname.split(/(?:\/_world\/[^/]+)?\/_mock\//);
  here.server = location.origin + prefix;
  here.mock = new URL("./", location.href).href.replace(/\/$/, "");
  here.root = here.mock.replace(/\/_mock$/, "");
  here.base = here.server + health.base;
  here.route = here.server + health.route;
  here.name = health.world;
  here.worlds = health.worlds;
  here.version = health.version;
  here.contract = health.contract.version;
}

/** Sends a request like a caller of the stub. A broken connection is a result, not an error. */
export async function send(url, { method = "POST", headers = {}, body } = {}) {
  const started = performance.now();
  try {
    const answer = await fetch(url, { method, headers, body, cache: "no-store" });
    const text = await answer.text();
    return {
      code: answer.status,
      headers: [...answer.headers],
      forced: answer.headers.get("Mock-Forced"),
      milliseconds: performance.now() - started,
      text,
      value: parsed(text),
    };
  } catch (error) {
    return { broken: error.message, milliseconds: performance.now() - started };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
