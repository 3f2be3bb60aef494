// What a frontend has somewhere: the one call of the API, and nothing of the stub.

import { encode } from "../encoder/encode.mjs";

/**
 * Registers a client.
 *
 * @param {string} base where the API is, such as https://api.example.com
 * @param {object} params what the route documents
 * @param {HeadersInit} [headers] further headers
 * @returns {Promise<object>} the envelope, whose `status` says what happened
 */
export async function register(base, params, headers = {}) {
  const answer = await fetch(`${base}/api/v1/clients/register`, {
    method: "POST",
    headers: { "Content-Type": "text/plain", ...headers },
    body: encode(params),
  });
  return answer.json();
}
