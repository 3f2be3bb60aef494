// What a world does for a test, besides the responses.

import { ControlError, expect, type Status } from "clients-register-playwright";

import { register, test } from "./form.js";

const ada = {
  application: "planoauth",
  client: { email: "ada@example.test", password: "correct horse battery staple" },
};

test("a page that was built with another base URL is sent to the world", async ({ page, site, clientsRegister }) => {
  await clientsRegister.intercept(page);
  await page.goto(`${site}?${new URLSearchParams({ api: "https://api.example.com/api/v1" })}`);
  await register(page, "grace@example.test");
  await expect(page.getByRole("status")).toContainText("Welcome!");
  await expect(clientsRegister).toHaveMailed("grace@example.test");
});

test("an intercepted request is broken like any other", async ({ page, site, clientsRegister }) => {
  await clientsRegister.intercept(page);
  await clientsRegister.force({ fault: "truncated" });
  await page.goto(`${site}?${new URLSearchParams({ api: "https://api.example.com/api/v1" })}`);
  await register(page, "grace@example.test");
  await expect(page.getByRole("status")).toContainText("Are you online?");
});

test("a session expires after a week", async ({ clientsRegister }) => {
  await clientsRegister.control("PUT", "/sessions/mine", { email: "client@personas.test" });
  const status = async (): Promise<Status> =>
    (await clientsRegister.register({ ...ada, token: "mine" })).status;
  await clientsRegister.advanceClock("P8D");
  expect(await status()).toBe("session-expired");
});

test("the time is set", async ({ clientsRegister }) => {
  await clientsRegister.setClock(new Date("2040-01-15T09:30:00Z"), { frozen: true });
  await clientsRegister.register(ada);
  expect((await clientsRegister.latestMail()).sent_at).toBe("2040-01-15T09:30:00.000Z");
});

test("a snapshot brings back who was registered", async ({ clientsRegister }) => {
  await clientsRegister.register(ada);
  const name = await clientsRegister.save(`with-ada-${clientsRegister.name}`);
  await clientsRegister.restore();
  expect((await clientsRegister.register(ada)).status).toBe("action-successful");
  await clientsRegister.restore(name);
  expect((await clientsRegister.register(ada)).status).toBe("email-already-registered");
  await clientsRegister.control("DELETE", `/snapshots/${name}`);
});

test("a mail fails, though the client is registered", async ({ clientsRegister }) => {
  await clientsRegister.setFaults({ mail_failures: 1 });
  expect((await clientsRegister.register(ada)).status).toBe("mandrill-email-failed");
  expect((await clientsRegister.register(ada)).status).toBe("email-already-registered");
  expect(await clientsRegister.outbox()).toEqual([]);
});

test("the request log says why", async ({ clientsRegister }) => {
  await clientsRegister.register({ ...ada, client: { ...ada.client, email: "ada" } });
  const [entry] = await clientsRegister.requests();
  expect(entry).toMatchObject({ status: "invalid-param", explanation: { summary: expect.stringContaining("client.email") } });
  expect((await clientsRegister.coverage()).met).toBe(1);
});

test("a misspelt status is an error of the compiler, and refused with a hint", async ({ clientsRegister }) => {
  // @ts-expect-error: no such status
  const refused = clientsRegister.force("invalid-tokn");
  await expect(refused).rejects.toThrow(ControlError);
  await expect(refused).rejects.toThrow("Did you mean invalid-token?");
});
