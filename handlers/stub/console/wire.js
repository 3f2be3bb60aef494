// Encodes parameters, and writes requests as code to copy, in several languages.

import { here, needsToken } from "./api.js";

/** Returns base64 of UTF-8; `btoa` alone rejects characters beyond Latin-1. */
export function base64(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export const encoded = (params) => base64(JSON.stringify(params));

/** Returns the request for `params`, with the header `Prefer` if given. */
export const request = (params, prefer) => ({
  method: "POST",
  headers: { "Content-Type": "text/plain", ...(prefer ? { Prefer: prefer } : {}) },
  body: encoded(params),
});

/** Returns the URL in this world of an example's path, which is under the usual base. */
export function inWorld(path, usual) {
  if (path === usual) return here.route;
  const folder = (text) => text.slice(0, text.lastIndexOf("/"));
  const [from, to] = [folder(usual), folder(here.route)];
  return path.startsWith(`${from}/`) ? to + path.slice(from.length) : here.root + path;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const pretty = (value) => JSON.stringify(value, null, 2);

export const curl = {
  params: (params, prefer) =>
    [
      `printf %s ${quoted(JSON.stringify(params))} | base64 |`,
      "  curl -sS -H 'Content-Type: text/plain' \\",
      ...(prefer ? [`    -H ${quoted(`Prefer: ${prefer}`)} \\`] : []),
      `    --data-binary @- ${here.route}`,
    ].join("\n"),

  natural: (url, { method, headers, body }, faults) => {
    const names = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
    const sent = `curl -sS -X ${method} ${names.join(" ")} \\\n  --data-raw ${quoted(body)} \\\n  ${url}`;
    if (!Object.keys(faults).length) return sent;
    const token = needsToken() ? ' -H "Authorization: Bearer $CONTROL_TOKEN"' : "";
    return [
      `curl -sS -o /dev/null -X PUT${token} -H 'Content-Type: application/json' \\`,
      `  -d ${quoted(JSON.stringify(faults))} ${here.mock}/faults`,
      sent,
      `curl -sS -o /dev/null -X DELETE${token} ${here.mock}/faults`,
    ].join("\n");
  },
};

const CALL = (url, method, headers, body) =>
  [
    `const response = await fetch(${JSON.stringify(url)}, {`,
    `  method: ${JSON.stringify(method)},`,
    `  headers: ${JSON.stringify(headers)},`,
    `  body: ${body},`,
    "});",
    "console.log(response.status, await response.json());",
  ].join("\n");

export const fetching = {
  params: (params, prefer) =>
    [
      `const params = ${pretty(params)};`,
      "const bytes = new TextEncoder().encode(JSON.stringify(params));",
      CALL(here.route, "POST", request(params, prefer).headers, "btoa(String.fromCodePoint(...bytes))"),
    ].join("\n"),

  natural: (url, { method, headers, body }, faults) => {
    const sent = CALL(url, method, headers, JSON.stringify(body));
    if (!Object.keys(faults).length) return sent;
    const switches = JSON.stringify(here.mock + "/faults");
    return [
      `await fetch(${switches}, {`,
      '  method: "PUT",',
      '  headers: { "Content-Type": "application/json" },',
      `  body: JSON.stringify(${JSON.stringify(faults)}),`,
      "});",
      sent,
      `await fetch(${switches}, { method: "DELETE" });`,
    ].join("\n");
  },
};

export const playwright = {
  header: (prefer) =>
    [
      "// Forces the response to every registration of this page, whatever the form contains.",
      'await page.route("**/clients/register", (route) =>',
      "  route.continue({",
      `    headers: { ...route.request().headers(), prefer: ${JSON.stringify(prefer)} },`,
      "  }),",
      ");",
    ].join("\n"),

  address: (address) =>
    [
      "// The address forces the response; fill in the rest of your form as usual.",
      `await page.getByLabel("E-mail").fill(${JSON.stringify(address)});`,
    ].join("\n"),

  natural: (url, { method, headers, body }, faults) => {
    const sent = [
      `const response = await request.fetch(${JSON.stringify(url)}, {`,
      `  method: ${JSON.stringify(method)},`,
      `  headers: ${JSON.stringify(headers)},`,
      `  data: ${JSON.stringify(body)},`,
      "});",
    ].join("\n");
    if (!Object.keys(faults).length) return sent;
    const switches = JSON.stringify(here.mock + "/faults");
    return [
      `await request.put(${switches}, { data: ${JSON.stringify(faults)} });`,
      sent,
      `await request.delete(${switches});`,
    ].join("\n");
  },
};
