// Fixtures of Playwright Test: the stub, one per worker, and a world of it for each test.

import { expect as playwrightExpect, type MatcherReturnType, test as playwrightTest } from "@playwright/test";

import { Stub, type StubOptions } from "./stub.js";
import { type Mail, World } from "./world.js";

export { StubError, type StubOptions } from "./stub.js";
export {
  ControlError,
  type Coverage,
  type Entry,
  type Envelope,
  type Faults,
  type Item,
  type Mail,
  type MailFilter,
  type Registration,
  type Status,
  UnusedResponses,
} from "./world.js";
export type { Stub, World };

export interface TestFixtures {
  /** A world of the stub for this test only, deleted afterwards. */
  clientsRegister: World;
  /** The snapshot that the worlds of tests start from. */
  clientsRegisterSnapshot: string | undefined;
}

export interface WorkerFixtures {
  /** The stub, started for this worker, or the one of `clientsRegisterOptions.url`. */
  clientsRegisterStub: Stub;
  clientsRegisterOptions: StubOptions;
}

export const test = playwrightTest.extend<TestFixtures, WorkerFixtures>({
  clientsRegisterOptions: [{}, { scope: "worker", option: true }],

  clientsRegisterSnapshot: [undefined, { option: true }],

  clientsRegisterStub: [
    async ({ clientsRegisterOptions }, use) => {
      const stub = await Stub.open(clientsRegisterOptions);
      await use(stub);
      await stub.close();
    },
    { scope: "worker" },
  ],

  clientsRegister: async ({ clientsRegisterStub, clientsRegisterSnapshot }, use, testInfo) => {
    const world = await clientsRegisterStub.createWorld(testInfo.title, clientsRegisterSnapshot);
    await use(world);
    const unused = testInfo.status === "passed" ? await world.checkForced().catch((error) => error) : undefined;
    if (unused || testInfo.status !== testInfo.expectedStatus) {
      await testInfo.attach("clients-register", { body: await world.summarize(), contentType: "text/plain" });
    }
    await clientsRegisterStub.deleteWorld(world);
    if (unused) throw unused;
  },
});

/** What a mail has to contain. */
export interface ExpectedMail {
  subject?: string | RegExp;
  text?: string | RegExp;
}

export const expect = playwrightExpect.extend({
  /** Expects a mail to an address, and waits for the first one; with `not`, that there is none by now. */
  async toHaveMailed(
    world: World,
    to: string,
    expected: ExpectedMail = {},
    { timeout = 5_000 }: { timeout?: number } = {},
  ): Promise<MatcherReturnType> {
    const mails = await world.outbox({ to, wait: this.isNot ? 0 : Math.min(timeout / 1000, 60) });
    const pass = mails.some((mail) => contains(mail, expected));
    const wanted = Object.entries(expected).map(([part, value]) => `${part} ${value}`);
    const found = mails.length ? mails.map((mail) => `subject ${mail.subject}`).join("\n  ") : "no mail";
    const message = () =>
      `expected ${this.isNot ? "no mail" : "a mail"} to ${[to, ...wanted].join(", ")}\n` +
      `received: ${found}`;
    return { pass, message, name: "toHaveMailed", expected, actual: mails };
  },
});

function contains(mail: Mail, { subject = "", text = "" }: ExpectedMail): boolean {
  const matches = (found: string, wanted: string | RegExp) =>
    typeof wanted === "string" ? found.includes(wanted) : found.search(wanted) !== -1;
  return matches(mail.subject, subject) && matches(mail.text, text);
}
