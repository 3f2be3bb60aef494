// Handlers of Mock Service Worker (https://mswjs.io) that let the stub respond to registrations.

import { bypass, http, HttpResponse } from "msw";

/**
 * Sends the registrations of a program to the stub, whatever base URL the program has.
 *
 * @param {string} base the base URL of the stub or of one of its worlds
 * @param {string} [status] the status to force; without one, the real rules apply
 */
export function registrations(base, status) {
  return http.post("*/clients/register", async ({ request }) => {
    const headers = { "Content-Type": request.headers.get("Content-Type") ?? "" };
    if (status !== undefined) headers.Prefer = `example=${status}`;
    const forwarded = { method: "POST", headers, body: await request.text() };
    try {
      return await fetch(bypass(`${base}/clients/register`, forwarded));
    } catch {
      // A fault of the connection, as the program is to see it.
      return HttpResponse.error();
    }
  });
}
