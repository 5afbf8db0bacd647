import { ETCD_VERSION } from '../../src/base/version.js';
import type { Clock } from '../../src/platform/clock.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import type { OpenedMember, OpenMemberOptions } from '../../src/server/bootstrap/open-member.js';
import type { LocalMember } from '../../src/server/local-member.js';
import type { PeerCalls } from '../../src/server/peer/peer-calls.js';
import type {
  CreatePeerTransport,
  PeerReceiver,
  PeerTransport,
} from '../../src/server/peer/peer-transport.js';
import { type MemberDisks, newDisks, openInMemory } from './in-memory-member.js';
import { lonelyCalls } from './lonely-peers.js';

/** Connects members of one process, without delay and without loss unless a link is cut. */
class MemoryNetwork {
  readonly #receivers = new Map<bigint, PeerReceiver>();
  readonly #cut = new Set<bigint>();

  /** Lets nothing through to or from that member. */
  isolate(id: bigint): void {
    this.#cut.add(id);
  }

  heal(): void {
    this.#cut.clear();
  }

  isConnected(from: bigint, to: bigint): boolean {
    return this.#receivers.has(to) && !this.#cut.has(from) && !this.#cut.has(to);
  }

  readonly createTransport: CreatePeerTransport = ({ memberId }, receiver): PeerTransport => {
    const peers = new Set<bigint>();
    return {
      start: () => {
        this.#receivers.set(memberId, receiver);
      },
      send: (messages) => {
        for (const message of messages) {
          const { to } = message;
          if (!peers.has(to)) continue;
          if (!this.isConnected(memberId, to)) receiver.reportUnreachable(to);
          else setImmediate(() => this.#receivers.get(to)?.receive(message));
        }
      },
      sendSnapshot: (message, database) => {
        const deliver = async (): Promise<void> => {
          const target = this.#receivers.get(message.to);
          if (target === undefined || !this.isConnected(memberId, message.to)) {
            throw new Error('not connected');
          }
          await target.saveSnapshotDatabase(message.snapshot?.index ?? 0, database.blocks());
          target.receive(message);
        };
        deliver()
          .then(
            () => receiver.reportSnapshot(message.to, true),
            () => receiver.reportSnapshot(message.to, false),
          )
          .finally(() => database.close());
      },
      addPeer: (id) => peers.add(id),
      addRemote: (id) => peers.add(id),
      updatePeer: () => {},
      removePeer: (id) => peers.delete(id),
      removeAllPeers: () => peers.clear(),
      activeSince: (id) => (this.isConnected(memberId, id) ? 0 : undefined),
      stop: async () => {
        if (this.#receivers.get(memberId) === receiver) this.#receivers.delete(memberId);
      },
    };
  };
}

/** Several members on disks in memory. */
export class MemoryCluster {
  readonly network = new MemoryNetwork();
  readonly #disks = new Map<string, MemberDisks>();
  readonly #running = new Map<string, OpenedMember>();
  readonly #peerUrls: ReadonlyMap<string, readonly string[]>;
  readonly #settings: Partial<OpenMemberOptions['settings']>;
  readonly #clock: Clock;
  /** Questions between the members, answered by the ones that run. */
  readonly #calls: PeerCalls = {
    ...lonelyCalls,
    version: async (urls) => {
      const { cluster, storageVersion } = this.#memberAt(urls);
      return {
        server: ETCD_VERSION,
        cluster: cluster.version ?? 'not_decided',
        storage: storageVersion,
      };
    },
    hashKeyValues: async (urls, asked) => {
      const result = await this.#memberAt(urls).store.hashKeyValues(asked);
      const { hash, compactRevision, revision, currentRevision } = result;
      return { revision: currentRevision, hash, compactRevision, hashRevision: revision };
    },
  };
  /** What ended members, by name. */
  readonly failures = new Map<string, unknown>();

  constructor(
    names: readonly string[],
    settings: Partial<OpenMemberOptions['settings']> = {},
    clock: Clock = nodeClock,
  ) {
    this.#clock = clock;
    this.#peerUrls = new Map(names.map((name) => [name, [`http://${name}:2380`]]));
    this.#settings = { heartbeatMillis: 10, ...settings };
  }

  async start(name: string): Promise<OpenedMember> {
    const disks = this.#disks.get(name) ?? newDisks();
    this.#disks.set(name, disks);
    const opened = await openInMemory(disks, this.#settings, {
      clock: this.#clock,
      // Members that draw the same election timeouts campaign at the same time, again and again.
      random: seededRandom([...this.#peerUrls.keys()].indexOf(name)),
      createTransport: this.network.createTransport,
      calls: this.#calls,
      initialCluster: {
        name,
        peerUrls: this.#peerUrls,
        advertisedPeerUrls: this.#peerUrls.get(name) ?? [],
        token: 'etcd-cluster',
        state: 'new',
      },
      onFatal: (error) => this.failures.set(name, error),
    });
    this.#running.set(name, opened);
    opened.member.start();
    return opened;
  }

  #memberAt(urls: readonly string[]): LocalMember {
    for (const [name, own] of this.#peerUrls) {
      const opened = own.join() === urls.join() ? this.#running.get(name) : undefined;
      if (opened !== undefined) return opened.member;
    }
    throw new Error(`nobody answers at ${urls.join()}`);
  }

  startAll(): Promise<OpenedMember[]> {
    return Promise.all([...this.#peerUrls.keys()].map((name) => this.start(name)));
  }

  async stop(name: string): Promise<void> {
    const opened = this.#running.get(name);
    this.#running.delete(name);
    await opened?.member.stop();
  }

  async stopAll(): Promise<void> {
    for (const name of [...this.#running.keys()]) await this.stop(name);
  }
}
