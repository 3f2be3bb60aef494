// Encodes the body of a registration: base64 of UTF-8 JSON. For browsers and Node.
//
// btoa() rejects characters above U+00FF and encodes the others as Latin-1. The text is therefore
// converted to UTF-8 bytes first, and each byte to one character for btoa().

/**
 * @param {unknown} params the documented parameters, such as {application, client: {email, password}}
 * @returns {string} the body, to send as text/plain
 */
export function encode(params) {
  const bytes = new TextEncoder().encode(JSON.stringify(params));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
