const HEADER = (1 << 3) | 2;
const REVISION = (3 << 3) | 0;

/**
 * The revision in the header that a response of ours begins with, 0 if there is none. The general
 * way would cost as much as all the rest of a line.
 */
export function revisionOf(bytes: Uint8Array): number {
  // The header has four numbers of at most ten bytes: its length takes one byte.
  if (bytes[0] !== HEADER) return 0;
  const end = 2 + (bytes[1] ?? 0);
  let at = 2;
  while (at < end && bytes[at] !== REVISION) {
    at += 1;
    while ((bytes[at] ?? 0) >= 0x80) at += 1;
    at += 1;
  }
  if (at >= end) return 0;
  let revision = 0;
  let unit = 1;
  for (at += 1; ; at++) {
    const byte = bytes[at] ?? 0;
    revision += (byte & 0x7f) * unit;
    if (byte < 0x80) return revision;
    unit *= 128;
  }
}

/** `,"revision":7`, or nothing if there is no revision in the header of the response. */
export function revisionMember(response: Uint8Array): string {
  const revision = revisionOf(response);
  return revision === 0 ? '' : `,"revision":${revision}`;
}
