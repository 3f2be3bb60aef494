// The users of the world, and their sessions.

import { control, read, tell } from "./api.js";
import { badge, button, copier, dangerous, find, guarded, h, moment, none, redraw, row, say } from "./dom.js";
import { fill } from "./form.js";

const KIND = { live: "good", remembered: "good", "too-old": "bad", unused: "bad" };

export function start() {
  find("#people-tools").append(
    dangerous("Keep only the personas", "Remove all others?", async () => {
      await control("DELETE", "clients");
      say("Only the personas are left, in their initial state.");
      tell("state");
    }),
  );
  find("#sessions-tools").append(
    dangerous("Keep only the personas' sessions", "Remove all others?", async () => {
      await control("DELETE", "sessions");
      say("Only the personas' sessions are left, in their initial state.");
      tell("state");
    }),
  );
  const form = find("#mint");
  form.elements.token.value = newToken();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find("button", form), async () => {
      const { token, email, application, state } = form.elements;
      const body = { email: email.value, state: state.value };
      if (application.value) body.application = application.value;
      const [made] = await control("PUT", `sessions/${encodeURIComponent(token.value)}`, body);
      say(`Minted ${made.token}, ${made.state}.`);
      token.value = newToken();
      tell("state");
    });
  });
}

export const refresh = () => read(["clients", "sessions"], show);

function show(people, sessions) {
  redraw(find("#people-rows"), ...people.map(person));
  redraw(find("#session-rows"), ...sessions.map(session));
  find("#no-sessions").hidden = sessions.length > 0;
  find("#people-list").replaceChildren(...people.map(({ email }) => h("option", { value: email })));
}

const newToken = () => `mine-${Math.random().toString(36).slice(2, 8)}`;

function person({ user_id, email, persona, password, roles, client }) {
  const is = [client ? `client ${client.id}` : "", ...roles].filter(Boolean);
  return row([
    ["User", h("strong", {}, email), h("span", { class: "quiet small" }, ` user ${user_id}`)],
    ["Roles", is.length ? is.map((each) => badge(each)) : h("span", { class: "quiet" }, "none")],
    ["Password", typed(password, `the password of ${email}`)],
    [
      "",
      h(
        "div",
        { class: "actions" },
        button("Use", () => {
          fill({ "client.email": email, ...(password ? { "client.password": password } : {}) }, true);
          location.hash = "register";
        }, { class: "plain", "aria-label": `Use ${email} in the form` }),
        persona === null
          ? null
          : button("Restore", async () => {
              await control("PUT", `clients/${encodeURIComponent(persona)}`);
              say(`The persona ${persona} was restored.`);
              tell("state");
            }, { class: "plain", "aria-label": `Restore the persona ${persona}` }),
      ),
    ],
  ]);
}

function session({ token, email, state, application, last_used_at, expires_at }) {
  return row([
    ["Token", typed(token, `the token ${token}`)],
    ["User", email],
    ["State", badge(state, KIND[state])],
    ["Application", application],
    ["Last used", h("span", { class: "number" }, moment(last_used_at))],
    ["Expires", h("span", { class: "number" }, moment(expires_at))],
    [
      "",
      token === null
        ? null
        : button("Use", () => {
            fill({ token }, true);
            location.hash = "register";
          }, { class: "plain", "aria-label": `Use the token ${token} in the form` }),
    ],
  ]);
}

/** Text to type or copy. Of other passwords and tokens, the server has only a digest. */
const typed = (text, what) =>
  text === null || text === undefined
    ? h("span", { class: "quiet" }, "unknown")
    : h("span", { class: "typed" }, h("code", {}, text), copier(() => text, what));
