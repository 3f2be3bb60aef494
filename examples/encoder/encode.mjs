// The body of a registration: base64 of UTF-8 JSON. For browsers and for Node.
//
// btoa() alone takes no character above U+00FF and would send the others as Latin-1, so the text
// becomes UTF-8 bytes first, and each byte one character for btoa().

/**
 * @param {unknown} params what the route documents, such as {application, client: {email, password}}
 * @returns {string} the body, to be sent as text/plain
 */
export function encode(params) {
  const bytes = new TextEncoder().encode(JSON.stringify(params));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
