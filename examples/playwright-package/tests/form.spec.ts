// Registers by filling in the form. The typed address or the test chooses the response.

import { expect } from "clients-register-playwright";

import { register, test } from "./form.js";

for (const [email, told] of [
  ["action-successful@status.test", "Welcome!"],
  ["email-already-registered@status.test", "already has an account"],
  ["mandrill-email-failed@status.test", "could not send you an e-mail"],
  ["ada+application-crash@status.test", "Something went wrong (application-crash)"],
] as const) {
  test(`the address ${email} chooses the response`, async ({ form }) => {
    await register(form, email);
    await expect(form.getByRole("status")).toContainText(told);
  });
}

test("a registration sends a mail", async ({ form, clientsRegister }) => {
  await register(form, "grace@example.test");
  await expect(form.getByRole("status")).toContainText("Welcome!");
  await expect(clientsRegister).toHaveMailed("grace@example.test", { subject: "Welcome" });
});

test("the second registration of an address fails", async ({ form, clientsRegister }) => {
  const client = { email: "ada@example.test", password: "correct horse" };
  await clientsRegister.register({ application: "planoauth", client });
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("already has an account");
});

test("a failed mail is shown", async ({ form, clientsRegister }) => {
  await clientsRegister.force("mandrill-email-failed");
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("could not send you an e-mail");
  await expect(clientsRegister).not.toHaveMailed("ada@example.test");
});

test("a broken connection is reported", async ({ form, clientsRegister }) => {
  // A browser may retry by itself if a kept-alive connection is reset.
  await clientsRegister.force({ fault: "reset", times: 2 });
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("Are you online?");
});
