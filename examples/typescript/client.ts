// A typed client of the route. All types are generated from the document.

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type Registration = components["schemas"]["Registration"];

const route = "/clients/register";

type Responses = paths[typeof route]["post"]["responses"];

/** Every envelope that the route returns, discriminated by `status`. */
export type Envelope = {
  [Code in keyof Responses]: Responses[Code] extends { content: { "application/json": infer Body } }
    ? Body
    : never;
}[keyof Responses];

/** Registers a client with the API at `baseUrl`, such as https://api.example.com/api/v1. */
export async function register(baseUrl: string, registration: Registration): Promise<Envelope> {
  const { data, error } = await createClient<paths>({ baseUrl }).POST(route, {
    headers: { "Content-Type": "text/plain" },
    body: encode(registration),
    bodySerializer: (body) => body,
  });
  return data ?? error!;
}

/** Encodes as base64 of UTF-8 JSON. btoa() accepts only characters up to U+00FF. */
function encode(registration: Registration): string {
  const bytes = new TextEncoder().encode(JSON.stringify(registration));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
