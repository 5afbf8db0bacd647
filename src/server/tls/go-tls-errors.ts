import type { X509Certificate } from 'node:crypto';

/** Go's names of the alerts that a peer may send. */
const ALERTS: Readonly<Record<string, string>> = {
  UNEXPECTED_MESSAGE: 'unexpected message',
  BAD_RECORD_MAC: 'bad record MAC',
  HANDSHAKE_FAILURE: 'handshake failure',
  BAD_CERTIFICATE: 'bad certificate',
  UNSUPPORTED_CERTIFICATE: 'unsupported certificate',
  CERTIFICATE_REVOKED: 'revoked certificate',
  CERTIFICATE_EXPIRED: 'expired certificate',
  CERTIFICATE_UNKNOWN: 'unknown certificate',
  ILLEGAL_PARAMETER: 'illegal parameter',
  UNKNOWN_CA: 'unknown certificate authority',
  ACCESS_DENIED: 'access denied',
  DECODE_ERROR: 'error decoding message',
  DECRYPT_ERROR: 'error decrypting message',
  PROTOCOL_VERSION: 'protocol version not supported',
  INSUFFICIENT_SECURITY: 'insufficient security level',
  INTERNAL_ERROR: 'internal error',
  USER_CANCELLED: 'user canceled',
  NO_RENEGOTIATION: 'no renegotiation',
  CERTIFICATE_REQUIRED: 'certificate required',
  NO_APPLICATION_PROTOCOL: 'no application protocol',
};

const NO_HANDSHAKE = 'tls: first record does not look like a TLS handshake';

const LOCAL: Readonly<Record<string, string>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
  ERR_SSL_WRONG_VERSION_NUMBER: NO_HANDSHAKE,
  ERR_SSL_HTTP_REQUEST: NO_HANDSHAKE,
  ERR_SSL_HTTPS_PROXY_REQUEST: NO_HANDSHAKE,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_HANDSHAKE,
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls: client offered only unsupported versions',
  ERR_SSL_NO_SHARED_CIPHER: 'tls: no cipher suite supported by both client and server',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'tls: client requested unsupported application protocols',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'i/o timeout',
  ECONNRESET: 'EOF',
};

/** Go's text for a handshake that failed with an error of Node's. */
export function handshakeErrorText(error: NodeJS.ErrnoException): string {
  const code = error.code ?? '';
  const alert = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_ALERT_(.+)$/.exec(code)?.[1];
  if (alert !== undefined) {
    return `remote error: tls: ${ALERTS[alert] ?? alert.toLowerCase().replaceAll('_', ' ')}`;
  }
  return LOCAL[code] ?? error.message;
}

const UNKNOWN_AUTHORITY = 'certificate signed by unknown authority';

const VERIFICATION: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  INVALID_CA: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
  INVALID_PURPOSE: 'certificate specifies an incompatible key usage',
};

/** Go's text for a certificate that OpenSSL found wrong. */
export function verificationErrorText(code: string): string {
  return `tls: failed to verify certificate: x509: ${VERIFICATION[code] ?? code}`;
}

/** Go's text for a certificate that is not valid for an address. */
export function addressErrorText(address: string, certificate: X509Certificate): string {
  const valid = namesOf(certificate).ipAddresses;
  return valid.length === 0
    ? `x509: cannot validate certificate for ${address} because it doesn't contain any IP SANs`
    : `x509: certificate is valid for ${valid.join(', ')}, not ${address}`;
}

/** Subject alternative names of a certificate. */
export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export function namesOf({ subjectAltName = '' }: X509Certificate): AlternativeNames {
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  // A name that holds a comma is quoted as in JSON.
  for (const [, kind, quoted, plain] of subjectAltName.matchAll(
    /(?:^|, )(DNS|IP Address):(?:"((?:[^"\\]|\\.)*)"|([^,]*))/g,
  )) {
    const list = kind === 'DNS' ? dnsNames : ipAddresses;
    list.push(quoted === undefined ? (plain ?? '') : String(JSON.parse(`"${quoted}"`)));
  }
  return { dnsNames, ipAddresses };
}
