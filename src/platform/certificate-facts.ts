import type { X509Certificate } from 'node:crypto';

const MILLIS_PER_DAY = 24 * 3600 * 1000;

/** What people ask about a certificate. */
export interface CertificateFacts {
  /** Relative names from the most general to the most special: `O=etcd, CN=server`. */
  readonly subject: string;
  readonly issuer: string;
  /** `DNS:localhost`, `IP Address:127.0.0.1`, ... */
  readonly alternativeNames: readonly string[];
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Whole days until the end, rounded down; negative once it is over. */
  readonly daysLeft: number;
  /** `EC P-256`, `RSA 2048`, `ed25519`. */
  readonly key: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly isAuthority: boolean;
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
}

/** @param nowMillis wall clock */
export function certificateFacts(
  certificate: X509Certificate,
  nowMillis: number,
): CertificateFacts {
  return {
    subject: nameText(certificate.subject),
    issuer: nameText(certificate.issuer),
    alternativeNames: alternativeNames(certificate.subjectAltName ?? ''),
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(notAfterMillis(certificate)).toISOString(),
    daysLeft: Math.floor((notAfterMillis(certificate) - nowMillis) / MILLIS_PER_DAY),
    key: keyText(certificate),
    serial: certificate.serialNumber.toLowerCase(),
    isAuthority: certificate.ca,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** A name that holds a comma is quoted. */
function alternativeNames(text: string): string[] {
  return (text.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? []).map((name) => name.trim());
}

/** When a certificate ends, ms since the Unix epoch. */
export function notAfterMillis(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo);
}

function nameText(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

function keyText({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa') return `RSA ${details?.modulusLength ?? ''}`.trimEnd();
  if (type !== 'ec') return type;
  const curve = details?.namedCurve ?? '';
  return `EC ${CURVES[curve] ?? curve}`.trimEnd();
}
