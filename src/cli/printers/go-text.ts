/** Number and name forms of Go that only the printers need. */

/** `%x` of a uint64 id. */
export function hexId(id: bigint): string {
  return id.toString(16);
}

/**
 * `%16x`: padded with spaces. Trap: the sentences about members are the only place that pads
 * (reference: cli 5.1).
 */
export function paddedHexId(id: bigint): string {
  return hexId(id).padStart(16, ' ');
}

/** `%016x` of a lease id, which is signed. */
export function leaseId(id: bigint): string {
  return id < 0n ? `-${(-id).toString(16).padStart(15, '0')}` : id.toString(16).padStart(16, '0');
}

/** The name of an enum value; a number unknown to us prints as a number. */
export function enumName(names: Readonly<Record<string, number>>, value: number): string {
  for (const [name, candidate] of Object.entries(names)) {
    if (candidate === value) {
      return name;
    }
  }
  return String(value);
}

/** Bytes as `--hex` shows them: `\x66\x6f`. */
export function hexBytes(bytes: Buffer): string {
  return bytes.toString('hex').replace(/../g, '\\x$&');
}

/** Whole lines as bytes, or no bytes for no lines. */
export function lines(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\n`).join(''));
}
