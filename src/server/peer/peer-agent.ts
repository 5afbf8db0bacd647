import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { Clock } from '../../platform/clock.js';
import { systemRoots } from '../../platform/system-roots.js';
import type { TlsConfig } from '../config/tls-config.js';
import { parseMemberUrl } from '../config/urls.js';
import { type MemberUrl, splitHostPort } from '../http/address.js';
import { CertificateSource, type ReadFile, readNamed } from '../tls/certificate-source.js';
import { opensslCiphers } from '../tls/cipher-suites.js';
import { type CertificateCheck, commonNameCheck, hostnameCheck } from '../tls/client-checks.js';

/** Gap of TCP keep-alive probes. */
const TCP_KEEP_ALIVE_MILLIS = 30_000;
/** Idle connections kept for each peer; more are closed. */
const MAX_IDLE_CONNECTIONS = 16;
/** Peers close a connection that is idle for 5 s; ours goes first, so that no request meets that. */
const IDLE_MILLIS = 4000;

/** With what connections to peers are secured. */
export interface PeerDialTls {
  readonly config: TlsConfig;
  /** The pair of the peer listeners, shown to peers unless the configuration names another. */
  readonly listenerPair: CertificateSource | undefined;
  readonly readFile: ReadFile;
  /** Name that certificates of peers must be for; absent: the host of the URL. */
  readonly serverName?: string;
}

export interface PeerAgentsOptions {
  readonly clock: Clock;
  /** How long connecting, handshake included, may take: 1 s and an election timeout. */
  readonly dialTimeoutMillis: number;
  readonly tls: PeerDialTls;
  /** Address to connect from; absent: the system's choice. */
  readonly localAddress?: string | undefined;
}

/** A request to a peer. */
export interface AgentRequest {
  readonly method: 'GET' | 'POST';
  /** With the leading slash. */
  readonly path: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** Whether the connection is made for this request and closed after it. */
  readonly ownConnection?: boolean;
}

/**
 * Makes HTTP requests to peers: over TCP or unix sockets, with TLS where the URL says so.
 * Certificate files are read anew for each connection, authorities once (reference: server 6.1).
 * Redirects are never followed, because Node's client doesn't.
 */
export class PeerAgents {
  readonly #options: PeerAgentsOptions;
  readonly #pair: CertificateSource | undefined;
  readonly #ciphers: string | undefined;
  readonly #checks: readonly CertificateCheck[];
  readonly #agents: readonly http.Agent[];
  readonly #plain: AgentPair;
  readonly #secure: AgentPair;
  #authorities: Promise<string | Buffer> | undefined;

  /** @throws Error `unexpected TLS cipher suite "X"` */
  constructor(options: PeerAgentsOptions) {
    this.#options = options;
    const { config, listenerPair, readFile } = options.tls;
    this.#pair =
      config.clientCertFile === ''
        ? listenerPair
        : new CertificateSource(config.clientCertFile, config.clientKeyFile, readFile);
    this.#ciphers = opensslCiphers(config.cipherSuites);
    this.#checks = [
      ...(config.allowedCommonNames.length > 0 ? [commonNameCheck(config.allowedCommonNames)] : []),
      ...(config.allowedHostnames.length > 0 ? [hostnameCheck(config.allowedHostnames)] : []),
    ];
    const plain = (target: Target): Promise<net.Socket> => this.#connect(target);
    const secure = (target: Target): Promise<net.Socket> => this.#connectSecure(target);
    this.#plain = {
      kept: new DialingHttpAgent(plain, KEPT),
      own: new DialingHttpAgent(plain, OWN),
    };
    this.#secure = {
      kept: new DialingHttpsAgent(secure, KEPT),
      own: new DialingHttpsAgent(secure, OWN),
    };
    this.#agents = [this.#plain, this.#secure].flatMap(({ kept, own }) => [kept, own]);
  }

  /**
   * How the peer at a URL is reached: protocol, address and agent of a request.
   * @param url a peer URL: http, https, unix or unixs
   * @param ownConnection whether the connection is made for this request and closed after it
   * @throws Error with etcd's text if the URL is none
   */
  readonly requestOptions = (url: string, ownConnection = false): https.RequestOptions => {
    const parsed = parseMemberUrl(url);
    const isSecure = parsed.scheme === 'https' || parsed.scheme === 'unixs';
    const pair = isSecure ? this.#secure : this.#plain;
    return {
      protocol: isSecure ? 'https:' : 'http:',
      agent: ownConnection ? pair.own : pair.kept,
      ...targetOf(parsed),
    };
  };

  /**
   * Begins a request; the caller writes the body, ends it, and listens for `response` and `error`.
   * @throws Error with etcd's text if the URL is no peer URL
   */
  request(url: string, asked: AgentRequest): http.ClientRequest {
    const { method, path, headers = {}, ownConnection } = asked;
    const options = this.requestOptions(url, ownConnection);
    const begin = options.protocol === 'https:' ? https.request : http.request;
    return begin({ ...options, method, path, headers });
  }

  /** Closes all connections; requests that go on fail. */
  close(): void {
    for (const agent of this.#agents) agent.destroy();
  }

  #connect(target: Target): Promise<net.Socket> {
    const socket = net.connect(this.#socketOptions(target));
    return this.#settled(socket, 'connect');
  }

  async #connectSecure(target: Target): Promise<net.Socket> {
    const { config, serverName } = this.#options.tls;
    const isUnverified = this.#isAutomatic;
    const pair = await this.#pair?.load();
    const ca = isUnverified ? undefined : await this.#loadAuthorities();
    const name = serverName ?? target.host ?? 'localhost';
    const socket = tls.connect({
      ...this.#socketOptions(target),
      // Trap: no protocols are offered; peers announce h2 and speak HTTP/1.1.
      rejectUnauthorized: !isUnverified,
      minVersion: config.minVersion,
      maxVersion: config.maxVersion,
      // An address is not a legal server name; the check uses the host then.
      ...(net.isIP(name) === 0 ? { servername: name } : { host: name }),
      ...(pair === undefined ? {} : { cert: pair.certificate, key: pair.key }),
      ...(ca === undefined ? {} : { ca }),
      ...(this.#ciphers === undefined ? {} : { ciphers: this.#ciphers }),
    });
    await this.#settled(socket, 'secureConnect');
    try {
      await this.#check(socket);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  }

  async #check(socket: tls.TLSSocket): Promise<void> {
    if (this.#checks.length === 0) return;
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) throw new Error("tls: server didn't provide a certificate");
    for (const check of this.#checks) await check(leaf, socket.remoteAddress ?? '');
  }

  /** Self-made certificates are known to nobody: peers are not verified then. */
  get #isAutomatic(): boolean {
    const { isAutomatic, certFile, keyFile } = this.#options.tls.config;
    return isAutomatic && certFile === '' && keyFile === '';
  }

  #loadAuthorities(): Promise<string | Buffer> {
    const { config, readFile } = this.#options.tls;
    this.#authorities ??= (
      config.trustedCaFile === '' ? systemRoots() : readNamed(readFile, config.trustedCaFile)
    ).catch((error: unknown) => {
      this.#authorities = undefined;
      throw error;
    });
    return this.#authorities;
  }

  #socketOptions({ host, port, socketPath }: Target): net.NetConnectOpts {
    if (typeof socketPath === 'string') return { path: socketPath };
    const { localAddress } = this.#options;
    return {
      host: host ?? 'localhost',
      port: Number(port ?? 0),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MILLIS,
      ...(localAddress === undefined ? {} : { localAddress }),
    };
  }

  #settled<S extends net.Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> {
    const { clock, dialTimeoutMillis } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(dialTimeoutMillis, () => {
        socket.destroy(Object.assign(new Error('dial: i/o timeout'), { code: 'ETIMEDOUT' }));
      });
      const onError = (error: Error): void => {
        timer.cancel();
        reject(error);
      };
      const onClose = (): void => onError(new Error('dial: connection closed'));
      socket.once('error', onError);
      socket.once('close', onClose);
      socket.once(event, () => {
        timer.cancel();
        socket.off('error', onError);
        socket.off('close', onClose);
        resolve(socket);
      });
    });
  }
}

interface AgentPair {
  readonly kept: http.Agent;
  readonly own: http.Agent;
}

/** Where to connect, in Node's names. */
type Target = Pick<http.ClientRequestArgs, 'host' | 'port' | 'socketPath'>;

type Dial = (target: Target) => Promise<net.Socket>;

/** Node's agents take their connections from a method that they may override. */
type Connected = NonNullable<Parameters<http.Agent['createConnection']>[1]>;

const OWN: http.AgentOptions = { keepAlive: false };
const KEPT: http.AgentOptions = {
  keepAlive: true,
  maxFreeSockets: MAX_IDLE_CONNECTIONS,
  timeout: IDLE_MILLIS,
};

function targetOf(url: MemberUrl): Target {
  if (url.scheme.startsWith('unix')) {
    return { host: 'localhost', socketPath: url.host + url.path };
  }
  return splitHostPort(url.host);
}

class DialingHttpAgent extends http.Agent {
  readonly #dial: Dial;

  constructor(dial: Dial, options: http.AgentOptions) {
    super(options);
    this.#dial = dial;
  }

  override createConnection(target: Target, connected?: Connected): undefined {
    answer(this.#dial(target), connected);
  }
}

class DialingHttpsAgent extends https.Agent {
  readonly #dial: Dial;

  constructor(dial: Dial, options: http.AgentOptions) {
    super(options);
    this.#dial = dial;
  }

  override createConnection(target: Target, connected?: Connected): undefined {
    answer(this.#dial(target), connected);
  }
}

function answer(dialed: Promise<net.Socket>, connected: Connected | undefined): void {
  dialed.then(
    (socket) => {
      if (connected === undefined) socket.destroy();
      else connected(null, socket);
    },
    // The type asks for a stream even where there is none.
    (error: Error) => (connected as ((error: Error) => void) | undefined)?.(error),
  );
}
