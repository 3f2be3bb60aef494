// How a form handles each status. The compiler knows the members of each envelope.

import { register, type Envelope, type Registration } from "./client.js";

/** Returns the message for the user. */
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
      return "This address already has an account";
    case "mandrill-email-failed":
      return "You are registered, but we could not send you an e-mail";
    default:
      return `Something went wrong (${envelope.status})`;
  }
}

/** Registers, and returns the message for the user. */
export async function submit(baseUrl: string, registration: Registration): Promise<string> {
  return message(await register(baseUrl, registration));
}

const account = { email: "ada@example.test", password: "correct horse battery staple" };

// Mistakes that the types catch. If one of them compiled, its @ts-expect-error would be an error.
export const mistakes = (envelope: Envelope) => [
  // @ts-expect-error: no such status
  envelope.status === "email-already-registred",
  // @ts-expect-error: not every view of a client contains the address
  envelope.status === "action-successful" && envelope.data.email,
  // @ts-expect-error: only some envelopes have errors
  envelope.errors,
  // @ts-expect-error: no such member of a client
  { application: "planoauth", client: { ...account, frist_name: "Ada" } } satisfies Registration,
  // @ts-expect-error: no such parameter
  { application: "planoauth", client: account, veiw: "client_read" } satisfies Registration,
  // @ts-expect-error: a registration needs a password
  { application: "planoauth", client: { email: "ada@example.test" } } satisfies Registration,
];
