import { quoteGo } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { parseCertificates } from '../../platform/key-pair.js';
import type { Random } from '../../platform/random.js';
import { systemRoots } from '../../platform/system-roots.js';
import type { TlsConfig } from '../config/tls-config.js';
import { type MemberUrl, splitHostPort } from '../http/address.js';
import { addressCheck, systemResolver } from './address-check.js';
import { CertificateSource, type ReadFile, readNamed } from './certificate-source.js';
import { opensslCiphers } from './cipher-suites.js';
import {
  type CertificateCheck,
  commonNameCheck,
  hostnameCheck,
  revocationCheck,
} from './client-checks.js';
import type { WatchedFile } from './expiry-watch.js';
import { selfSignedPair } from './self-signed.js';
import type { ListenerTls } from './tls-acceptor.js';

export interface ListenerTlsOptions {
  readonly endpoint: 'client' | 'peer';
  readonly config: TlsConfig;
  /** The listeners, whose hosts a certificate of auto-TLS is for. */
  readonly urls: readonly MemberUrl[];
  readonly dataDir: string;
  readonly readFile: ReadFile;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The TLS of the listeners of one kind, checked as far as that can be done before a connection
 * comes; undefined if there is no certificate.
 * @throws Error with etcd's text (reference: server 1.4, 6.1)
 */
export async function prepareListenerTls(
  options: ListenerTlsOptions,
): Promise<ListenerTls | undefined> {
  const { config, endpoint, logger } = options;
  const ciphers = opensslCiphers(config.cipherSuites);
  const source = await certificateSource(options);
  if (source === undefined) return undefined;
  logger.info(`starting with ${endpoint} TLS`, {
    'tls-info': tlsInfo(config, source),
    'cipher-suites': config.cipherSuites,
  });
  await source.load();
  await checkDialingPair(options);
  return {
    endpoint,
    source,
    clientAuthorities: await clientAuthorities(options),
    checks: certificateChecks(options),
    minVersion: config.minVersion,
    maxVersion: config.maxVersion,
    ciphers,
    watched: watchedFiles(options, source),
  };
}

/** The same TLS where who connects must also come from where its certificate says. */
export function withAddressCheck(tls: ListenerTls): ListenerTls {
  return { ...tls, checks: [...tls.checks, addressCheck(systemResolver)] };
}

async function certificateSource(
  options: ListenerTlsOptions,
): Promise<CertificateSource | undefined> {
  const { config, endpoint, logger } = options;
  const { certFile, keyFile } = config;
  const isGiven = certFile !== '' || keyFile !== '';
  if (config.isAutomatic && isGiven) {
    logger.warn(`ignoring ${endpoint} auto TLS since certs given`);
  }
  if (isGiven) {
    if (certFile === '' || keyFile === '') {
      throw new Error(
        `KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`,
      );
    }
    return new CertificateSource(certFile, keyFile, options.readFile);
  }
  if (!config.isAutomatic) return undefined;
  const { fs } = options;
  const made = await selfSignedPair({
    ...options,
    directory: `${options.dataDir}/fixtures/${endpoint}`,
    hosts: options.urls.map(hostOf).filter((host) => host !== ''),
    validYears: config.selfSignedYears,
  });
  return new CertificateSource(made.certFile, made.keyFile, (path) => readWhole(fs, path));
}

function hostOf(url: MemberUrl): string {
  if (url.scheme.startsWith('unix')) return url.host;
  return splitHostPort(url.host).host;
}

async function readWhole(fs: Fs, path: string): Promise<Buffer> {
  const file = await fs.open(path, { read: true });
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}

/** The pair for dialing is checked at the start, like the other one. */
async function checkDialingPair({ config, readFile }: ListenerTlsOptions): Promise<void> {
  const { clientCertFile: cert, clientKeyFile: key } = config;
  if (cert === '' && key === '') return;
  if (cert === '' || key === '') {
    // The unmatched bracket is etcd's.
    throw new Error(
      `ClientKeyFile and ClientCertFile must both be present or both absent: key: ${key}, cert: ${cert}]`,
    );
  }
  await new CertificateSource(cert, key, readFile).load();
}

/** Trap: an authority alone already makes client certificates mandatory. */
async function clientAuthorities({
  config,
  readFile,
}: ListenerTlsOptions): Promise<string | Buffer | undefined> {
  const { trustedCaFile, clientCertAuth } = config;
  if (trustedCaFile !== '') {
    const pem = await readNamed(readFile, trustedCaFile);
    parseCertificates(pem);
    return pem;
  }
  return clientCertAuth ? systemRoots() : undefined;
}

function certificateChecks({ config, endpoint, readFile }: ListenerTlsOptions): CertificateCheck[] {
  const { allowedCommonNames: names, allowedHostnames: hosts } = config;
  if (names.length > 0 && hosts.length > 0) {
    throw new Error(
      `AllowedCNs and AllowedHostnames are mutually exclusive (cns=${quoteList(names)}, hostnames=${quoteList(hosts)})`,
    );
  }
  const checks: CertificateCheck[] = [];
  if (names.length > 0) checks.push(commonNameCheck(names));
  if (hosts.length > 0) checks.push(hostnameCheck(hosts));
  if (config.crlFile !== '') checks.push(revocationCheck(config.crlFile, readFile));
  if (endpoint === 'peer' && !config.skipClientSanVerification) {
    checks.push(addressCheck(systemResolver));
  }
  return checks;
}

function watchedFiles(
  { config, readFile }: ListenerTlsOptions,
  source: CertificateSource,
): WatchedFile[] {
  const named = [config.clientCertFile, config.trustedCaFile].filter((path) => path !== '');
  return [
    { path: source.certFile, readFile: source.readFile },
    ...named.map((path) => ({ path, readFile })),
  ];
}

function quoteList(names: readonly string[]): string {
  return `[${names.map(quoteGo).join(' ')}]`;
}

function tlsInfo(config: TlsConfig, { certFile, keyFile }: CertificateSource): string {
  return [
    `cert = ${certFile}`,
    `key = ${keyFile}`,
    `client-cert=${config.clientCertFile}`,
    `client-key=${config.clientKeyFile}`,
    `trusted-ca = ${config.trustedCaFile}`,
    `client-cert-auth = ${config.clientCertAuth}`,
    `crl-file = ${config.crlFile}`,
  ].join(', ');
}
