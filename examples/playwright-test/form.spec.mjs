// Registers by filling in the form. The typed address chooses the response, and no request is
// intercepted.

import { expect, test } from "./fixtures.mjs";

async function register(form, email) {
  await form.getByLabel("E-mail").fill(email);
  await form.getByLabel("Password").fill("richtig Pferd, Bättérie 🐎");
  await form.getByRole("button", { name: "Register" }).click();
}

for (const [email, told] of [
  ["action-successful@status.test", "Welcome!"],
  ["email-already-registered@status.test", "already has an account"],
  ["mandrill-email-failed@status.test", "could not send you an e-mail"],
  ["ada+application-crash@status.test", "Something went wrong (application-crash)"],
]) {
  test(`the address ${email} chooses the response`, async ({ form }) => {
    await register(form, email);
    await expect(form.getByRole("status")).toContainText(told);
  });
}

test("a registration sends a mail", async ({ form, world }) => {
  await register(form, "grace@example.test");
  await expect(form.getByRole("status")).toContainText("Welcome!");
  const mail = await world.control("GET", "/outbox/latest?to=grace@example.test&wait=5");
  expect(mail.subject).toContain("Welcome");
});

test("the second registration of an address fails", async ({ form }) => {
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("Welcome!");
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("already has an account");
});

test("a broken connection is reported", async ({ form, world }) => {
  // A browser may retry by itself if a kept-alive connection is reset.
  await world.control("PUT", "/next", [{ fault: "reset", times: 2 }]);
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("Are you online?");
});
