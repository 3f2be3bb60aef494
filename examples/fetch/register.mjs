// The frontend's call of the API. It knows nothing about the stub.

import { encode } from "../encoder/encode.mjs";

/**
 * Registers a client.
 *
 * @param {string} base the base URL of the API, such as https://api.example.com/api/v1
 * @param {object} params the documented parameters
 * @param {HeadersInit} [headers] additional headers
 * @returns {Promise<object>} the envelope, whose `status` is the outcome
 */
export async function register(base, params, headers = {}) {
  const answer = await fetch(`${base}/clients/register`, {
    method: "POST",
    headers: { "Content-Type": "text/plain", ...headers },
    body: encode(params),
  });
  return answer.json();
}
