import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemRoots } from '../../platform/system-roots.js';
import {
  type ConnectionDiagnosis,
  type ConnectionStage,
  diagnoseFailure,
  diagnoseFirstBytes,
  isTlsAlert,
  tlsExpected,
} from '../diagnosis.js';
import type { Endpoint } from '../endpoint.js';
import type { ClientTlsOptions, ConnectionOptions } from './connection-options.js';
import { Http2Connection } from './http2-connection.js';

/** Bound of one connection attempt up to the server's SETTINGS frame; grpc's minimum. */
const CONNECT_TIMEOUT_MILLIS = 20_000;
/** How long the probe waits for the first bytes of a server that is not HTTP/2. */
const PROBE_TIMEOUT_MILLIS = 500;
/** Bytes a stream may hold that the caller has not read yet. */
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;

/** A connection could not be made. */
export class ConnectFailure extends Error {
  readonly diagnosis: ConnectionDiagnosis;

  constructor(diagnosis: ConnectionDiagnosis) {
    super(diagnosis.problem);
    this.name = 'ConnectFailure';
    this.diagnosis = diagnosis;
  }
}

/**
 * Connects to one endpoint. Ready means that the server has sent its HTTP/2 settings: no request
 * is ever sent to something that is not an HTTP/2 server.
 *
 * @throws ConnectFailure
 */
export async function connectEndpoint(
  endpoint: Endpoint,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Http2Connection> {
  if (endpoint.target.kind === 'invalid') {
    const problem = endpoint.target.reason;
    throw new ConnectFailure({ endpoint: endpoint.text, layer: 'address', problem });
  }
  const tls = await withRoots(endpoint, options.tls);
  const attempt = new ConnectAttempt(endpoint, { ...options, tls }, signal);
  try {
    const session = await attempt.run();
    return new Http2Connection(endpoint, session, options);
  } catch (error) {
    throw new ConnectFailure(await attempt.diagnose(error instanceof Error ? error : undefined));
  }
}

let roots: Promise<string> | undefined;

/** Where no authority is given, those count that the system trusts. */
export async function withRoots(
  endpoint: Endpoint,
  tls: ClientTlsOptions,
): Promise<ClientTlsOptions> {
  if (!endpoint.secure || tls.ca !== undefined || tls.insecureSkipVerify === true) return tls;
  roots ??= systemRoots();
  return { ...tls, ca: await roots };
}

export function dial(endpoint: Endpoint, tls: ClientTlsOptions): Socket {
  const { target } = endpoint;
  const address =
    target.kind === 'unix'
      ? { path: target.path }
      : target.kind === 'tcp'
        ? { host: target.host, port: target.port }
        : undefined;
  if (address === undefined) {
    throw new Error(`cannot dial ${endpoint.text}`);
  }
  if (!endpoint.secure) {
    return connectTcp({ ...address, noDelay: true });
  }
  const host = target.kind === 'tcp' ? target.host : 'localhost';
  return connectTls({
    ...address,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    // An IP address is not a legal server name indication; the check uses `host` all the same.
    ...(isIpAddress(host) && tls.serverName === undefined
      ? { host }
      : { servername: tls.serverName ?? host }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  });
}

function isIpAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}

/** One attempt to connect: remembers how far it came. */
class ConnectAttempt {
  private readonly endpoint: Endpoint;
  private readonly options: ConnectionOptions;
  private readonly signal: AbortSignal;
  private stage: ConnectionStage = 'tcp';

  constructor(endpoint: Endpoint, options: ConnectionOptions, signal: AbortSignal) {
    this.endpoint = endpoint;
    this.options = options;
    this.signal = signal;
  }

  run(): Promise<ClientHttp2Session> {
    return new Promise((resolve, reject) => {
      const socket = dial(this.endpoint, this.options.tls);
      const settle = (error: Error | undefined, session?: ClientHttp2Session): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', onAbort);
        if (session !== undefined && error === undefined) {
          resolve(session);
          return;
        }
        socket.destroy();
        reject(error ?? new Error('connection closed'));
      };
      const onAbort = (): void => settle(new Error('client closed'));
      const timer = this.options.clock.setTimer(CONNECT_TIMEOUT_MILLIS, () =>
        settle(Object.assign(new Error('connection timed out'), { code: 'ETIMEDOUT' })),
      );
      this.signal.addEventListener('abort', onAbort, { once: true });
      socket.on('error', settle);
      socket.on('close', () => settle(undefined));
      socket.once('connect', () => {
        this.stage = this.endpoint.secure ? 'tls' : 'http2';
      });
      socket.once(this.endpoint.secure ? 'secureConnect' : 'connect', () => {
        this.stage = 'http2';
        this.openSession(socket, settle);
      });
    });
  }

  private openSession(
    socket: Socket,
    settle: (error: Error | undefined, session?: ClientHttp2Session) => void,
  ): void {
    const session = connectHttp2(`http://${this.endpoint.authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    });
    session.on('error', settle);
    session.once('close', () => settle(undefined));
    session.once('remoteSettings', () => settle(undefined, session));
  }

  async diagnose(error: Error | undefined): Promise<ConnectionDiagnosis> {
    const { text, secure } = this.endpoint;
    if (this.stage !== 'http2' || secure || this.signal.aborted) {
      const hasCertificate = this.options.tls.cert !== undefined;
      return diagnoseFailure(text, this.stage, error, { secure, hasCertificate });
    }
    const firstBytes = await this.probeFirstBytes();
    // Trap: a TLS server hangs up on plaintext, usually without a word.
    if (firstBytes.length === 0 && !this.signal.aborted && (await this.speaksTls())) {
      return tlsExpected(text);
    }
    return diagnoseFirstBytes(text, firstBytes);
  }

  /** True if the server answers a TLS greeting in TLS, be it with a refusal. */
  private speaksTls(): Promise<boolean> {
    const secure = { ...this.endpoint, secure: true };
    const socket = dial(secure, { ...this.options.tls, insecureSkipVerify: true });
    return new Promise((resolve) => {
      const settle = (answer: boolean): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', giveUp);
        socket.destroy();
        resolve(answer);
      };
      const giveUp = (): void => settle(false);
      const timer = this.options.clock.setTimer(PROBE_TIMEOUT_MILLIS, giveUp);
      this.signal.addEventListener('abort', giveUp, { once: true });
      socket.on('error', (error: NodeJS.ErrnoException) => settle(isTlsAlert(error)));
      socket.on('close', giveUp);
      socket.once('secureConnect', () => settle(true));
    });
  }

  /** Sends the start of a plaintext HTTP/2 connection once more and looks at the raw answer. */
  private probeFirstBytes(): Promise<Buffer> {
    return new Promise((resolve) => {
      const socket = dial(this.endpoint, this.options.tls);
      const settle = (bytes: Buffer): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', giveUp);
        socket.destroy();
        resolve(bytes);
      };
      const giveUp = (): void => settle(Buffer.alloc(0));
      const timer = this.options.clock.setTimer(PROBE_TIMEOUT_MILLIS, giveUp);
      this.signal.addEventListener('abort', giveUp, { once: true });
      socket.on('error', giveUp);
      socket.on('close', giveUp);
      socket.once('data', settle);
      socket.once('connect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    });
  }
}
