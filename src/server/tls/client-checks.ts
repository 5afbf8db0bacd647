import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type ReadFile, readNamed } from './certificate-source.js';
import { plainHex, revokedSerials } from './revocation-list.js';

/** A check of a certificate whose chain has been verified. Throws or rejects with Go's text. */
export type CertificateCheck = (
  leaf: X509Certificate,
  remoteAddress: string,
) => void | Promise<void>;

/** More certificates than any chain has; stops a loop. */
const MAX_CHAIN = 10;

/** The leaf's common name must be one of `names`. */
export function commonNameCheck(names: readonly string[]): CertificateCheck {
  return (leaf) => {
    const name = commonNameOf(leaf);
    if (name === undefined || !names.includes(name)) throw refused();
  };
}

/** The leaf must be valid for one of `names`. */
export function hostnameCheck(names: readonly string[]): CertificateCheck {
  return (leaf) => {
    if (!names.some((name) => isValidFor(leaf, name))) throw refused();
  };
}

function refused(): Error {
  return new Error('client certificate authentication failed');
}

/** Whether the alternative names of a certificate cover a host name or address. */
export function isValidFor(leaf: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return leaf.checkIP(name) !== undefined;
  return leaf.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
}

/** No certificate of the chain may be in the list, which is read anew for each connection. */
export function revocationCheck(path: string, readFile: ReadFile): CertificateCheck {
  let last: { readonly bytes: Buffer; readonly serials: ReadonlySet<string> } | undefined;
  return async (leaf) => {
    const bytes = await readNamed(readFile, path);
    if (last === undefined || !last.bytes.equals(bytes)) {
      last = { bytes, serials: revokedSerials(bytes) };
    }
    for (const serial of serialsOf(leaf)) {
      if (last.serials.has(serial)) {
        throw new Error(`transport: certificate serial ${serial} revoked`);
      }
    }
  };
}

function* serialsOf(leaf: X509Certificate): Generator<string> {
  let certificate: X509Certificate | undefined = leaf;
  for (let depth = 0; certificate !== undefined && depth < MAX_CHAIN; depth++) {
    yield plainHex(certificate.serialNumber);
    certificate = certificate.issuerCertificate;
  }
}

/**
 * The common name of a certificate's subject; undefined if it has none. Where there are several,
 * the last one counts, as in Go.
 */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  const { CN } = certificate.toLegacyObject().subject;
  // The type says text, but several names come as a list.
  const names: unknown = CN;
  const name: unknown = Array.isArray(names) ? names.at(-1) : names;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
