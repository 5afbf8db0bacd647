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

const NO_COMMON_VERSION: Finding = {
  layer: 'tls',
  problem: 'the server speaks no TLS version that we speak',
  hint: 'we speak 1.2 and 1.3: see its --tls-min-version and --tls-max-version',
};

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
  CERT_HAS_EXPIRED: {
    layer: 'tls',
    problem: "the server's certificate has expired",
    hint: 'it has to be renewed on the server, unless the clock here is wrong; `etcdkit cert inspect` shows it',
  },
  CERT_NOT_YET_VALID: {
    layer: 'tls',
    problem: "the server's certificate is not valid yet",
    hint: 'is the clock right, here and on the server?',
  },
  INVALID_PURPOSE: {
    layer: 'tls',
    problem: "the server's certificate is not meant for servers",
    hint: 'it needs the extended key usage serverAuth',
  },
  ERR_SSL_UNSUPPORTED_PROTOCOL: NO_COMMON_VERSION,
};

/** Alerts by which a server says what it does not like, by the end of OpenSSL's names for them. */
const BY_ALERT: Readonly<Record<string, Finding>> = {
  CERTIFICATE_REQUIRED: {
    layer: 'tls',
    problem: 'the server requires a client certificate',
    hint: 'give --cert and --key',
  },
  UNKNOWN_CA: {
    layer: 'tls',
    problem: 'the server does not trust our client certificate',
    hint: 'give one with --cert and --key that an authority of its --trusted-ca-file signed',
  },
  BAD_CERTIFICATE: {
    layer: 'tls',
    problem: 'the server wants a client certificate that it trusts',
    hint: 'give --cert and --key',
  },
  CERTIFICATE_EXPIRED: {
    layer: 'tls',
    problem: 'the server says that our client certificate has expired',
    hint: 'give a newer one with --cert and --key',
  },
  CERTIFICATE_REVOKED: {
    layer: 'tls',
    problem: 'the server says that our client certificate is revoked',
    hint: 'give another one with --cert and --key',
  },
  HANDSHAKE_FAILURE: {
    layer: 'tls',
    problem: 'the server refused the TLS handshake',
    hint: 'it may require a client certificate (--cert and --key), or have no cipher suite in common with us',
  },
  PROTOCOL_VERSION: NO_COMMON_VERSION,
};

/** Trap: the prefix depends on the version of TLS and of OpenSSL. */
const ALERT_CODE = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_ALERT_(.+)$/;

/** Go's servers send one alert for certificates that are missing and for those that are wrong. */
const NOT_ACCEPTED: Finding = {
  layer: 'tls',
  problem: 'the server does not accept our client certificate',
  hint: 'it may have expired, be revoked, or be signed by an authority that the server does not trust: see --cert and --key',
};

function findingOf(
  error: NodeJS.ErrnoException | undefined,
  { hasCertificate }: AttemptFacts,
): Finding | undefined {
  const code = error?.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(error);
  const alert = ALERT_CODE.exec(code)?.[1];
  if (alert === 'BAD_CERTIFICATE' && hasCertificate) return NOT_ACCEPTED;
  return alert === undefined ? BY_CODE[code] : BY_ALERT[alert];
}

function wrongName(error: object | undefined): Finding {
  const { host, cert }: { host?: unknown; cert?: { subjectaltname?: unknown } } = error ?? {};
  const names = typeof cert?.subjectaltname === 'string' ? cert.subjectaltname : '';
  const wanted = typeof host === 'string' ? host : 'this host name';
  return {
    layer: 'tls',
    problem:
      names === ''
        ? `the server's certificate is not valid for ${wanted}: it names no host`
        : `the server's certificate is not valid for ${wanted}, only for ${names}`,
    hint: 'use a name that it is valid for in --endpoints, or have the certificate issued for this one',
  };
}

function hasEnded(error: NodeJS.ErrnoException | undefined): boolean {
  return error === undefined || error.code === 'ECONNRESET';
}

/** What is known of an attempt beside its error. */
export interface AttemptFacts {
  readonly secure: boolean;
  /** We had a certificate to show. */
  readonly hasCertificate: boolean;
}

/** Finds out what a failed connection attempt tells. `stage` is what was being tried. */
export function diagnoseFailure(
  endpoint: string,
  stage: ConnectionStage,
  error: Error | undefined,
  facts: AttemptFacts = { secure: false, hasCertificate: false },
): ConnectionDiagnosis {
  const finding = findingOf(error, facts);
  if (finding !== undefined) return { endpoint, ...finding };
  if (facts.secure && (stage === 'http2' || (stage === 'tls' && hasEnded(error)))) {
    // Trap: in TLS 1.3 a server judges our certificate when we think that all is well.
    return {
      endpoint,
      layer: 'tls',
      problem: `the server ended the connection ${stage === 'tls' ? 'in' : 'right after'} the TLS handshake`,
      hint: facts.hasCertificate
        ? 'it may not accept our client certificate: see --cert and --key'
        : 'it may require a client certificate: give --cert and --key',
    };
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
