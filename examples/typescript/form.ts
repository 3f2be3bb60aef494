// What a form makes of each status. The compiler knows which of them carry what.

import { register, type Envelope, type Registration } from "./client.js";

/** What to tell a person. */
export function message(envelope: Envelope): string {
  switch (envelope.status) {
    case "action-successful":
      return `Welcome to ${envelope.application.name}, client ${envelope.data.id}`;
    case "missing-param":
    case "invalid-param":
    case "client-validation-failed":
      return `Please check ${envelope.errors.map((error) => error.attr).join(", ")}`;
    case "email-already-registered":
    case "email-already-registerd":
      return "This address has an account already";
    case "mandrill-email-failed":
      return "You are registered, but our e-mail to you failed";
    default:
      return `Something went wrong (${envelope.status})`;
  }
}

/** Registers, and says what came of it. */
export async function submit(baseUrl: string, registration: Registration): Promise<string> {
  return message(await register(baseUrl, registration));
}

// Mistakes that the types catch. Were one of them none, the compiler would complain here.
export const mistakes = (envelope: Envelope) => [
  // @ts-expect-error: no such status
  envelope.status === "email-already-registred",
  // @ts-expect-error: not every view of a client shows the address
  envelope.status === "action-successful" && envelope.data.email,
  // @ts-expect-error: only some statuses list errors
  envelope.errors,
  // @ts-expect-error: a registration needs a password
  { application: "planoauth", client: { email: "ada@example.test" } } satisfies Registration,
];
