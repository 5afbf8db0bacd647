/** The layer at which a connection broke. */
export type ConnectionLayer = 'address' | 'dns' | 'tcp' | 'tls' | 'http2' | 'deadline';

/** Why one endpoint cannot be used, for a line that helps the user. */
export interface ConnectionDiagnosis {
  /** The endpoint as the user wrote it. */
  readonly endpoint: string;
  readonly layer: ConnectionLayer;
  /** What happened, in a few words: `connection refused`. */
  readonly problem: string;
  /** What to do about it, if there is something. */
  readonly hint?: string;
}

/** One line for the user: endpoint, problem and hint. */
export function diagnosisText(diagnosis: ConnectionDiagnosis): string {
  const hint = diagnosis.hint === undefined ? '' : ` (${diagnosis.hint})`;
  return `${diagnosis.endpoint}: ${diagnosis.problem}${hint}`;
}

/** The stage a connection attempt had reached when it failed. */
export type ConnectionStage = 'tcp' | 'tls' | 'http2';

interface Finding {
  readonly layer: ConnectionLayer;
  readonly problem: string;
  readonly hint?: string;
}

const CHECK_CA = 'give the CA that signed it with --cacert';

const BY_CODE: Readonly<Record<string, Finding>> = {
  ECONNREFUSED: {
    layer: 'tcp',
    problem: 'connection refused',
    hint: 'is the server running and listening there?',
  },
  ENOENT: { layer: 'tcp', problem: 'no such socket file' },
  EACCES: { layer: 'tcp', problem: 'permission denied' },
  ETIMEDOUT: { layer: 'tcp', problem: 'connection timed out', hint: 'firewall or wrong address?' },
  EHOSTUNREACH: { layer: 'tcp', problem: 'no route to host' },
  ENETUNREACH: { layer: 'tcp', problem: 'network is unreachable' },
  ENOTFOUND: { layer: 'dns', problem: 'no such host', hint: 'check the name in --endpoints' },
  EAI_AGAIN: { layer: 'dns', problem: 'name resolution failed', hint: 'is DNS reachable?' },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    layer: 'tls',
    problem: 'the server does not speak TLS',
    hint: 'use an http:// endpoint',
  },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: {
    layer: 'tls',
    problem: 'the server does not speak TLS',
    hint: 'use an http:// endpoint',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    layer: 'tls',
    problem: "the server's certificate is self-signed",
    hint: CHECK_CA,
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    layer: 'tls',
    problem: "the server's certificate is signed by an unknown authority",
    hint: CHECK_CA,
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    layer: 'tls',
    problem: "the server's certificate is signed by an unknown authority",
    hint: CHECK_CA,
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    layer: 'tls',
    problem: "the server's certificate is signed by an unknown authority",
    hint: CHECK_CA,
  },
  CERT_HAS_EXPIRED: { layer: 'tls', problem: "the server's certificate has expired" },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    layer: 'tls',
    problem: "the server's certificate is not valid for this host name",
  },
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: {
    layer: 'tls',
    problem: 'the server requires a client certificate',
    hint: 'give --cert and --key',
  },
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: {
    layer: 'tls',
    problem: 'the server does not trust our client certificate',
  },
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: {
    layer: 'tls',
    // Go servers send this for a certificate that is missing, too.
    problem: 'the server wants a client certificate that it trusts',
    hint: 'give --cert and --key',
  },
};

/** Finds out what a failed connection attempt tells. `stage` is what was being tried. */
export function diagnoseFailure(
  endpoint: string,
  stage: ConnectionStage,
  error: Error | undefined,
): ConnectionDiagnosis {
  const code = error === undefined ? undefined : (error as NodeJS.ErrnoException).code;
  const finding = code === undefined ? undefined : BY_CODE[code];
  if (finding !== undefined) {
    return { endpoint, ...finding };
  }
  if (stage === 'http2') {
    return {
      endpoint,
      layer: 'http2',
      problem: 'the connection was closed before the server spoke HTTP/2',
    };
  }
  return { endpoint, layer: stage, problem: error?.message ?? 'connection closed' };
}

const TLS_ALERT_RECORD = 0x15;
const TLS_MAJOR_VERSION = 0x03;

/** True if `error` is a TLS server's refusal, as opposed to an answer that is not TLS. */
export function isTlsAlert(error: NodeJS.ErrnoException): boolean {
  return error.code?.includes('_ALERT_') ?? false;
}

export function tlsExpected(endpoint: string): ConnectionDiagnosis {
  return {
    endpoint,
    layer: 'tls',
    problem: 'the server expects TLS',
    hint: 'use an https:// endpoint, with --cacert and perhaps --cert and --key',
  };
}

/** What the first bytes of a server that does not speak HTTP/2 in plaintext give away. */
export function diagnoseFirstBytes(endpoint: string, bytes: Buffer): ConnectionDiagnosis {
  if (bytes[0] === TLS_ALERT_RECORD && bytes[1] === TLS_MAJOR_VERSION) {
    return tlsExpected(endpoint);
  }
  if (bytes.subarray(0, 5).toString('latin1') === 'HTTP/') {
    return {
      endpoint,
      layer: 'http2',
      problem: 'the server speaks HTTP/1 and not gRPC',
      hint: 'is this the client port?',
    };
  }
  return {
    endpoint,
    layer: 'http2',
    problem: 'the server closed the connection without speaking HTTP/2',
    hint: 'it may expect TLS (https://), or this is not an etcd client port',
  };
}
