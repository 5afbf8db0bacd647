import { type DerElement, DerTag, derElements } from '../../base/der.js';

/**
 * The serial numbers that a revocation list names, in lower-case hex without leading zeros.
 *
 * Trap: as in etcd neither its signature nor its dates are looked at, and it has to be DER, not PEM
 * (reference: server 6.1).
 * @throws Error if it is no revocation list
 */
export function revokedSerials(bytes: Buffer): Set<string> {
  try {
    const [list] = only(bytes, DerTag.sequence);
    const [body] = derElements(list.contents);
    if (body?.tag !== DerTag.sequence) throw new Error('no list of certificates');
    const serials = new Set<string>();
    for (const { contents } of entries(body)) {
      const [serial] = derElements(contents);
      if (serial?.tag !== DerTag.integer) throw new Error('an entry without a serial number');
      serials.add(plainHex(serial.contents.toString('hex')));
    }
    return serials;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`x509: malformed crl: ${cause}`);
  }
}

function only(bytes: Buffer, tag: number): [DerElement] {
  const [first, ...rest] = derElements(bytes);
  if (first?.tag !== tag || rest.length > 0) throw new Error('no list of certificates');
  return [first];
}

/** What is revoked is the third sequence: after algorithm and issuer, and beside the dates. */
function entries(body: DerElement): Iterable<DerElement> {
  const sequences = [...derElements(body.contents)].filter(({ tag }) => tag === DerTag.sequence);
  if (sequences.length < 2) throw new Error('no issuer');
  const revoked = sequences[2];
  return revoked === undefined ? [] : derElements(revoked.contents);
}

/** A serial number as Go prints it. */
export function plainHex(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
