import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import tls, { type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Logger } from '../../base/logger.js';
import { remoteAddressOf } from '../http/address.js';
import type { CertificateSource, KeyPair } from './certificate-source.js';
import type { CertificateCheck } from './client-checks.js';
import type { WatchedFile } from './expiry-watch.js';
import { handshakeErrorText, namesOf, verificationErrorText } from './go-tls-errors.js';
import { rawSocketOf } from './node-tls-internals.js';

/** How long a handshake may take (reference: server 6.1). */
const HANDSHAKE_TIMEOUT_MILLIS = 10_000;

/** What TLS a listener speaks. */
export interface ListenerTls {
  /** In log lines. */
  readonly endpoint: 'client' | 'peer';
  readonly source: CertificateSource;
  /** Authorities of client certificates, in PEM; undefined: no certificate is asked for. */
  readonly clientAuthorities: string | Buffer | undefined;
  /** Passed in order by a verified client certificate. */
  readonly checks: readonly CertificateCheck[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Certificates whose end is worth knowing in time. */
  readonly watched: readonly WatchedFile[];
  /** In OpenSSL's names; undefined: its own choice. */
  readonly ciphers: string | undefined;
}

export interface TlsAcceptorOptions {
  readonly tls: ListenerTls;
  /** In order of preference. */
  readonly protocols: readonly string[];
  readonly logger: Logger;
  /** Gets each connection whose handshake succeeded. `raw` is what lies beneath, if known. */
  readonly onSecure: (socket: TLSSocket, raw: Socket | undefined) => void;
}

/** Shakes hands on connections that somebody else accepted. */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions;
  readonly #server: tls.Server;
  #pair: KeyPair | undefined;

  constructor(options: TlsAcceptorOptions) {
    this.#options = options;
    const { clientAuthorities } = options.tls;
    const isMutual = clientAuthorities !== undefined;
    this.#server = tls.createServer({
      ALPNProtocols: [...options.protocols],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MILLIS,
      requestCert: isMutual,
      // Trap: without this OpenSSL lets a client in that shows no certificate.
      rejectUnauthorized: isMutual,
    });
    this.#server.on('secureConnection', (socket) => this.#verify(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      const { authorizationError } = socket;
      this.#reject(
        socket,
        authorizationError
          ? verificationErrorText(String(authorizationError))
          : handshakeErrorText(error),
      );
      // Trap: Node leaves a connection open whose handshake took too long.
      socket.destroy();
    });
  }

  /** Takes over a connection. */
  accept(socket: Socket): void {
    // Asked for now, because a connection that broke does not know it any more.
    const remote = remoteAddressOf(socket);
    this.#refresh().then(
      () => {
        if (!socket.destroyed) this.#server.emit('connection', socket);
      },
      (error: Error) => {
        const { certFile, keyFile } = this.#options.tls.source;
        const isMissing = (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
        this.#options.logger.warn(
          isMissing ? 'failed to find peer cert files' : 'failed to create peer certificate',
          { 'cert-file': certFile, 'key-file': keyFile, error: error.message },
        );
        this.#logRejection(remote, '', error.message);
        socket.destroy();
      },
    );
  }

  async #refresh(): Promise<void> {
    const { tls: settings } = this.#options;
    const pair = await settings.source.load();
    if (pair === this.#pair) return;
    this.#server.setSecureContext(contextOptions(settings, pair));
    this.#pair = pair;
  }

  #verify(socket: TLSSocket): void {
    // A connection that breaks while it is being checked is no error of ours.
    const onError = (): void => {};
    socket.on('error', onError);
    const { tls: settings, onSecure } = this.#options;
    const pass = (): void => {
      if (!socket.destroyed) onSecure(socket, rawSocketOf(socket));
      socket.off('error', onError);
    };
    if (settings.clientAuthorities === undefined || settings.checks.length === 0) {
      pass();
      return;
    }
    this.#runChecks(socket).then(pass, (error: Error) => {
      this.#reject(socket, error.message);
      socket.destroy();
    });
  }

  async #runChecks(socket: TLSSocket): Promise<void> {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) throw new Error("tls: client didn't provide a certificate");
    const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
    for (const check of this.#options.tls.checks) await check(leaf, address);
  }

  #reject(socket: TLSSocket, error: string): void {
    const raw = rawSocketOf(socket);
    const leaf = socket.destroyed ? undefined : socket.getPeerX509Certificate();
    const names = leaf === undefined ? undefined : namesOf(leaf);
    this.#logRejection(remoteAddressOf(raw ?? socket), socket.servername || '', error, {
      ...(names === undefined
        ? {}
        : { 'ip-addresses': names.ipAddresses, 'dns-names': names.dnsNames }),
    });
  }

  #logRejection(
    remote: string,
    serverName: string,
    error: string,
    more: Readonly<Record<string, unknown>> = {},
  ): void {
    const { logger, tls: settings } = this.#options;
    // A client that merely leaves is not worth a warning.
    const level = error === 'EOF' ? 'debug' : 'warn';
    logger[level](`rejected connection on ${settings.endpoint} endpoint`, {
      'remote-addr': remote,
      'server-name': serverName,
      ...more,
      error,
    });
  }
}

function contextOptions(settings: ListenerTls, pair: KeyPair): SecureContextOptions {
  const { clientAuthorities, ciphers, minVersion, maxVersion } = settings;
  return {
    cert: pair.certificate,
    key: pair.key,
    minVersion,
    maxVersion,
    ...(ciphers === undefined ? {} : { ciphers }),
    // A resumed session would skip the verification of the certificate.
    ...(clientAuthorities === undefined
      ? {}
      : { ca: clientAuthorities, secureOptions: constants.SSL_OP_NO_TICKET }),
  };
}
