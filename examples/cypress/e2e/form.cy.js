// @ts-check
// Registers by filling in the form of ../../playwright, which has a fixed base URL here.

/** @type {string} */
let base;

/** @type {(method: string, path: string, body?: unknown) => Cypress.Chainable} */
const control = (method, path, body) => cy.task("control", { base, method, path, body });

beforeEach(() => {
  cy.task("openWorld").then((opened) => {
    base = String(opened);
    cy.intercept("POST", "**/clients/register", (request) => {
      request.url = `${base}/clients/register`;
    });
  });
  cy.visit("/playwright/index.html?api=https://api.example.com/api/v1");
});

afterEach(() => {
  cy.task("closeWorld", base);
});

/** @param {string} email */
function register(email) {
  cy.contains("label", "E-mail").find("input").type(email);
  cy.contains("label", "Password").find("input").type("correct horse battery staple");
  cy.contains("button", "Register").click();
}

it("registers by the rules, and sends a mail", () => {
  register("ada@example.test");
  cy.contains("[role=status]", "Welcome!");
  control("GET", "/outbox/latest?to=ada@example.test&wait=5").its("subject").should("include", "Welcome");
});

it("shows a failed mail, which is forced by the address", () => {
  register("mandrill-email-failed@status.test");
  cy.contains("[role=status]", "could not send you an e-mail");
});

it("shows a crash, which is forced by the test", () => {
  control("PUT", "/next", ["application-crash"]);
  register("ada@example.test");
  cy.contains("[role=status]", "Something went wrong (application-crash)");
});
