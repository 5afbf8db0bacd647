import type { Settings } from './settings.js';

/** TLS of the client or of the peer listeners. Empty texts stand for what was not given. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** The pair with which the member dials; the one above if empty. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly trustedCaFile: string;
  readonly clientCertAuth: boolean;
  readonly crlFile: string;
  readonly allowedCommonNames: readonly string[];
  readonly allowedHostnames: readonly string[];
  /** Make a certificate if none is given. */
  readonly isAutomatic: boolean;
  /** 0 is an error where a certificate has to be made. */
  readonly selfSignedYears: number;
  readonly skipClientSanVerification: boolean;
  /** Go's names, in order; empty: the library's choice. */
  readonly cipherSuites: readonly string[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export function clientTls(settings: Settings): TlsConfig {
  return {
    certFile: settings.text('cert-file'),
    keyFile: settings.text('key-file'),
    clientCertFile: settings.text('client-cert-file'),
    clientKeyFile: settings.text('client-key-file'),
    trustedCaFile: settings.text('trusted-ca-file'),
    clientCertAuth: settings.on('client-cert-auth'),
    crlFile: settings.text('client-crl-file'),
    allowedCommonNames: [],
    allowedHostnames: settings.list('client-cert-allowed-hostname'),
    isAutomatic: settings.on('auto-tls'),
    skipClientSanVerification: false,
    ...shared(settings),
  };
}

export function peerTls(settings: Settings): TlsConfig {
  return {
    certFile: settings.text('peer-cert-file'),
    keyFile: settings.text('peer-key-file'),
    clientCertFile: settings.text('peer-client-cert-file'),
    clientKeyFile: settings.text('peer-client-key-file'),
    trustedCaFile: settings.text('peer-trusted-ca-file'),
    clientCertAuth: settings.on('peer-client-cert-auth'),
    crlFile: settings.text('peer-crl-file'),
    allowedCommonNames: settings.list('peer-cert-allowed-cn'),
    allowedHostnames: settings.list('peer-cert-allowed-hostname'),
    isAutomatic: settings.on('peer-auto-tls'),
    skipClientSanVerification: settings.on('peer-skip-client-san-verification'),
    ...shared(settings),
  };
}

function shared(settings: Settings) {
  return {
    selfSignedYears: settings.number('self-signed-cert-validity'),
    cipherSuites: settings.list('cipher-suites'),
    minVersion: version(settings.text('tls-min-version'), 'TLSv1.2'),
    maxVersion: version(settings.text('tls-max-version'), 'TLSv1.3'),
  };
}

function version(text: string, unset: TlsVersion): TlsVersion {
  if (text === '') return unset;
  return text === 'TLS1.3' ? 'TLSv1.3' : 'TLSv1.2';
}
