// The page's only script. A real page would get the URL of the API from its build; this one takes
// it from its query string: ?api=http://127.0.0.1:4018/api/v1

import { encode } from "../encoder/encode.mjs";

const api = new URLSearchParams(location.search).get("api") ?? "http://127.0.0.1:4018/api/v1";
const form = document.querySelector("form");
const told = document.querySelector("[role=status]");

const messages = {
  "action-successful": "Welcome! We have sent you an e-mail.",
  "email-already-registered": "This address already has an account.",
  "mandrill-email-failed": "You are registered, but we could not send you an e-mail.",
  "invalid-param": "Please check your input.",
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(form));
  told.textContent = "One moment …";
  told.textContent = await register({ application: "planoauth", client: { email, password } });
});

async function register(params) {
  try {
    const answer = await fetch(`${api}/clients/register`, {
      method: "POST",
      headers: { "Content-Type": "text/plain" },
      body: encode(params),
    });
    const { status } = await answer.json();
    return messages[status] ?? `Something went wrong (${status}).`;
  } catch {
    return "We could not reach the server. Are you online?";
  }
}
