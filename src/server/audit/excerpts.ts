const KEY = (1 << 3) | 2;
const VALUE = (2 << 3) | 2;
const MAX_LENGTH_BYTES = 4;
/** Longer ones than this are read where they are, bytes. */
export const MAX_EXCERPT_BYTES = 1024;

/**
 * The part of a PutRequest that must not get further: its value, where it stands right behind the
 * key, as every client writes it. Gives the start of the value, or -1 for any other request.
 */
export function putValueStart(request: Uint8Array): number {
  if (request[0] !== KEY) return -1;
  const keyEnd = fieldEnd(request, 0);
  return keyEnd <= MAX_EXCERPT_BYTES && request[keyEnd] === VALUE ? keyEnd : -1;
}

/** Where a field of bytes ends that begins at `start`; -1 if the request ends before it. */
export function fieldEnd(request: Uint8Array, start: number): number {
  let length = 0;
  for (let position = 0; position < MAX_LENGTH_BYTES; position++) {
    const byte = request[start + 1 + position] ?? 0;
    length |= (byte & 0x7f) << (7 * position);
    if (byte < 0x80) {
      const end = start + 2 + position + length;
      return end <= request.length ? end : -1;
    }
  }
  return -1;
}
