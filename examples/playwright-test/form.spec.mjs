// A person registers. The tests type addresses, and no request is tampered with.

import { expect, test } from "./fixtures.mjs";

async function register(form, email) {
  await form.getByLabel("E-mail").fill(email);
  await form.getByLabel("Password").fill("richtig Pferd, Bättérie 🐎");
  await form.getByRole("button", { name: "Register" }).click();
}

for (const [email, told] of [
  ["action-successful@status.test", "Welcome!"],
  ["email-already-registered@status.test", "has an account already"],
  ["mandrill-email-failed@status.test", "our e-mail to you failed"],
  ["ada+application-crash@status.test", "Something went wrong (application-crash)"],
]) {
  test(`the address ${email} chooses the answer`, async ({ form }) => {
    await register(form, email);
    await expect(form.getByRole("status")).toContainText(told);
  });
}

test("a person registers and gets mail", async ({ form, world }) => {
  await register(form, "grace@example.test");
  await expect(form.getByRole("status")).toContainText("Welcome!");
  const mail = await world.control("GET", "/outbox/latest?to=grace@example.test&wait=5");
  expect(mail.subject).toContain("Welcome");
});

test("an address is taken the second time", async ({ form }) => {
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("Welcome!");
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("has an account already");
});

test("a broken connection is told", async ({ form, world }) => {
  // A browser may try once more by itself where a connection that it had kept is reset.
  await world.control("PUT", "/next", [{ fault: "reset", times: 2 }]);
  await register(form, "ada@example.test");
  await expect(form.getByRole("status")).toContainText("Are you online?");
});
