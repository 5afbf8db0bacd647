const HEADER = (1 << 3) | 2;
const REVISION = (3 << 3) | 0;

/**
 * `,"revision":7` from the header that a response of ours begins with, or nothing if there is no
 * revision in it. The general way would cost as much as all the rest of a line.
 */
export function revisionMember(response: Uint8Array): string {
  // The header has four numbers of at most ten bytes: its length takes one byte.
  if (response[0] !== HEADER) return '';
  const end = 2 + (response[1] ?? 0);
  let at = 2;
  while (at < end && response[at] !== REVISION) {
    at += 1;
    while ((response[at] ?? 0) >= 0x80) at += 1;
    at += 1;
  }
  if (at >= end) return '';
  let revision = 0;
  let unit = 1;
  for (at += 1; ; at++) {
    const byte = response[at] ?? 0;
    revision += (byte & 0x7f) * unit;
    if (byte < 0x80) return `,"revision":${revision}`;
    unit *= 128;
  }
}
