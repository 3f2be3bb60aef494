// The mails that would have been sent.

import { control, read, tell } from "./api.js";
import { dangerous, find, h, moment, none } from "./dom.js";

export function start() {
  find("#outbox-tools").append(
    dangerous("Clear", "Clear the outbox?", async () => {
      await control("DELETE", "outbox");
      tell("state");
    }),
  );
}

export const refresh = () => read(["outbox"], show);

function show(mails) {
  find("#letters").replaceChildren(
    ...(mails.length
      ? mails.reverse().map(letter)
      : [none("No mails yet. A successful registration sends one. No mail leaves this machine.")]),
  );
}

const letter = ({ from, to, subject, text, sent_at, request_id }) =>
  h(
    "article",
    { class: "letter" },
    h("h3", {}, subject),
    h(
      "dl",
      {},
      [["To", to], ["From", from], ["Sent", `${moment(sent_at)} UTC`]].map(([name, value]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, value)),
      ),
    ),
    h("p", { class: "text" }, text),
    h("p", { class: "quiet small" }, `Sent by request ${request_id}`),
  );
