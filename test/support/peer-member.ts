import type { LogFields, Logger } from '../../src/base/logger.js';
import { silentLogger } from '../../src/base/logger.js';
import { ETCD_VERSION } from '../../src/base/version.js';
import type { Clock } from '../../src/platform/clock.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { type Message, type MessageType, newMessage } from '../../src/raft/types.js';
import type { TlsConfig } from '../../src/server/config/tls-config.js';
import { parseMemberUrl } from '../../src/server/config/urls.js';
import { PortMultiplexer } from '../../src/server/http/port-multiplexer.js';
import { peerMetrics } from '../../src/server/metrics/network-metrics.js';
import { MetricRegistry } from '../../src/server/metrics/registry.js';
import { HttpPeerTransport } from '../../src/server/peer/http-peer-transport.js';
import { PeerAgents, type PeerDialTls } from '../../src/server/peer/peer-agent.js';
import type { PeerReceiver } from '../../src/server/peer/peer-transport.js';
import type { ListenerTls } from '../../src/server/tls/tls-acceptor.js';
import { until } from './until.js';

export const NO_TLS: TlsConfig = {
  certFile: '',
  keyFile: '',
  clientCertFile: '',
  clientKeyFile: '',
  trustedCaFile: '',
  clientCertAuth: false,
  crlFile: '',
  allowedCommonNames: [],
  allowedHostnames: [],
  isAutomatic: false,
  selfSignedYears: 1,
  skipClientSanVerification: false,
  cipherSuites: [],
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
};

const PLAIN: PeerDialTls = {
  config: NO_TLS,
  listenerPair: undefined,
  readFile: () => Promise.reject(new Error('there are no files')),
};

/** A receiver that remembers what it was told. */
export class RecordingReceiver implements PeerReceiver {
  readonly messages: Message[] = [];
  readonly unreachable: bigint[] = [];
  readonly snapshots: { readonly id: bigint; readonly succeeded: boolean }[] = [];
  readonly removed = new Set<bigint>();
  removals = 0;
  /** Whether messages are taken. */
  hasRoom = true;
  /** Called for each message. */
  onMessage: ((message: Message) => void) | undefined;
  saveSnapshotDatabase: PeerReceiver['saveSnapshotDatabase'] = async () => {
    throw new Error('no snapshot was expected');
  };

  receive(message: Message): boolean {
    if (!this.hasRoom) return false;
    this.messages.push(message);
    this.onMessage?.(message);
    return true;
  }

  isRemoved(id: bigint): boolean {
    return this.removed.has(id);
  }

  reportUnreachable(id: bigint): void {
    this.unreachable.push(id);
  }

  reportSnapshot(id: bigint, succeeded: boolean): void {
    this.snapshots.push({ id, succeeded });
  }

  reportRemoved(): void {
    this.removals++;
  }
}

/** A logger that remembers its lines. */
export class RecordingLogger implements Logger {
  readonly lines: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
  readonly #add = (message: string, fields?: LogFields): void => {
    this.lines.push({ message, fields });
  };
  debug = this.#add;
  info = this.#add;
  warn = this.#add;
  error = this.#add;
  fatal = this.#add;
  named = (): Logger => this;
  at = (): Logger => this;

  has(message: string): boolean {
    return this.lines.some((line) => line.message === message);
  }
}

export interface PeerMemberOptions {
  readonly id: bigint;
  readonly clusterId?: bigint;
  readonly serverVersion?: string;
  readonly clock?: Clock;
  readonly readTimeoutMillis?: number;
  readonly writeTimeoutMillis?: number;
  readonly dialTimeoutMillis?: number;
  /** 0: any free port. */
  readonly port?: number;
  readonly listenerTls?: ListenerTls;
  readonly dialTls?: PeerDialTls;
  /** Instead of a port. */
  readonly url?: string;
}

/** One end of a cluster that consists of transports alone. */
export interface PeerMember {
  readonly id: bigint;
  readonly url: string;
  readonly port: number;
  readonly transport: HttpPeerTransport;
  readonly receiver: RecordingReceiver;
  readonly logger: RecordingLogger;
  readonly agents: PeerAgents;
  metricsText(): Promise<string>;
  stop(): Promise<void>;
}

export async function startPeerMember(options: PeerMemberOptions): Promise<PeerMember> {
  const clock = options.clock ?? nodeClock;
  const logger = new RecordingLogger();
  const receiver = new RecordingReceiver();
  const registry = new MetricRegistry();
  const agents = new PeerAgents({
    clock: nodeClock,
    dialTimeoutMillis: 2000,
    tls: options.dialTls ?? PLAIN,
  });
  let transport: HttpPeerTransport | undefined;
  const multiplexer = new PortMultiplexer({
    clock: nodeClock,
    logger: silentLogger,
    http: (request, response) => {
      if (transport?.handle(request, response) !== true) response.writeHead(404).end();
    },
  });
  const scheme = options.listenerTls === undefined ? 'http' : 'https';
  const asked = options.url ?? `${scheme}://127.0.0.1:${options.port ?? 0}`;
  const listener = await multiplexer.listen(parseMemberUrl(asked), options.listenerTls);
  const url = options.url ?? `${scheme}://${listener.address}`;
  transport = new HttpPeerTransport(
    {
      clock,
      logger,
      metrics: peerMetrics(registry),
      agents,
      advertisedPeerUrls: [url],
      serverVersion: options.serverVersion ?? ETCD_VERSION,
      dialTimeoutMillis: options.dialTimeoutMillis ?? 2000,
      readTimeoutMillis: options.readTimeoutMillis ?? 5000,
      writeTimeoutMillis: options.writeTimeoutMillis ?? 5000,
    },
    { memberId: options.id, clusterId: options.clusterId ?? 0xc1n },
    receiver,
  );
  multiplexer.start();
  const built = transport;
  return {
    id: options.id,
    url,
    port: Number(listener.address.split(':').at(-1)),
    transport: built,
    receiver,
    logger,
    agents,
    metricsText: () => registry.text(),
    stop: async () => {
      await Promise.all([built.stop(), multiplexer.close(0)]);
      agents.close();
    },
  };
}

/** Makes the members known to each other and lets them connect. */
export async function connectMembers(...members: readonly PeerMember[]): Promise<void> {
  for (const member of members) {
    for (const other of members) {
      if (other !== member) member.transport.addPeer(other.id, [other.url]);
    }
    member.transport.start();
  }
  await untilConnected(...members);
}

/** Resolves when every member has a stream of each kind to each other one. */
export async function untilConnected(...members: readonly PeerMember[]): Promise<void> {
  const expected = (members.length - 1) * 2;
  for (const member of members) {
    await until(`member ${member.id} is connected`, () => {
      const streams = member.logger.lines.filter(
        ({ message, fields }) =>
          message === 'established TCP streaming connection with remote peer' &&
          fields?.['stream-writer-type'] !== undefined,
      );
      return streams.length >= expected;
    });
  }
}

/** A message of a member to another. */
export function messageOf(
  type: MessageType,
  from: bigint,
  to: bigint,
  fields: Partial<Message> = {},
): Message {
  return { ...newMessage(type, to), from, term: 1, ...fields };
}
