import type { Logger } from '../base/logger.js';
import { type Counter, silentCounter } from '../base/metrics.js';
import type { Clock, Timer } from '../platform/clock.js';
import { type ConfChange, ConfChangeType } from '../raft/confchange/conf-change.js';
import { type Message, MessageType } from '../raft/types.js';
import type { Backend } from '../storage/backend/backend.js';
import type { Cluster } from './membership/cluster.js';
import { formatId } from './membership/member.js';
import type { CreatePeerTransport, PeerReceiver, PeerTransport } from './peer/peer-transport.js';
import { type AppliedPoint, OutgoingSnapshots } from './snapshots/outgoing-snapshots.js';

/** Looks for connected peers at the start, so that a follower need not wait a whole timeout. */
const START_LOOKS = 100;
const START_LOOK_MILLIS = 50;

/** What of the loop the peers' messages concern. */
export interface PeerMessageSink {
  receive(message: Message): boolean;
  reportUnreachable(id: bigint): void;
  reportSnapshot(id: bigint, succeeded: boolean): void;
  advanceTicks(ticks: number): void;
}

export interface MemberPeersOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backend: Pick<Backend, 'snapshot'>;
  readonly createTransport: CreatePeerTransport;
  /** One tick of Raft, ms. */
  readonly heartbeatMillis: number;
  readonly electionTicks: number;
  readonly initialElectionTickAdvance: boolean;
  readonly saveSnapshotDatabase: (index: number, blocks: AsyncIterable<Buffer>) => Promise<void>;
  /** What is applied in this turn. */
  readonly applied: () => AppliedPoint;
  /** The others say that this member was removed from the cluster. */
  readonly onRemoved: () => void;
  readonly lateHeartbeats?: Counter;
}

/** Joins a member's Raft to the transport: who the peers are, what goes out, what comes in. */
export class MemberPeers implements PeerReceiver {
  readonly transport: PeerTransport;
  readonly #options: MemberPeersOptions;
  readonly #snapshots: OutgoingSnapshots;
  /** When the last heartbeat left for a peer, monotonic ms. */
  readonly #heartbeats = new Map<bigint, number>();
  #sink: PeerMessageSink | undefined;
  #startLook: Timer | undefined;

  constructor(options: MemberPeersOptions) {
    this.#options = options;
    const { cluster, applied } = options;
    this.transport = options.createTransport(
      { memberId: cluster.localMemberId, clusterId: cluster.id },
      this,
    );
    this.#snapshots = new OutgoingSnapshots({
      backend: options.backend,
      clock: options.clock,
      logger: options.logger,
      transport: this.transport,
      applied,
      report: (to, succeeded) => this.#sink?.reportSnapshot(to, succeeded),
    });
    this.reset();
  }

  /** Whether somebody may still need the log that would be cut. */
  get needsLog(): boolean {
    return this.#snapshots.needsLog;
  }

  start(sink: PeerMessageSink): void {
    this.#sink = sink;
    this.transport.start();
    if (this.#options.initialElectionTickAdvance) this.#lookForPeers(START_LOOKS);
  }

  stop(): Promise<void> {
    this.#startLook?.cancel();
    this.#sink = undefined;
    this.#snapshots.stop();
    return this.transport.stop();
  }

  /** Sends what Raft has to say. */
  send(messages: readonly Message[]): void {
    const { cluster } = this.#options;
    let forPeers: Message[] | undefined;
    for (const [position, message] of messages.entries()) {
      if (message.type === MessageType.Heartbeat) this.#noteHeartbeat(message.to);
      const isSnapshot = message.type === MessageType.Snap;
      if (!isSnapshot && !cluster.isRemoved(message.to)) {
        forPeers?.push(message);
        continue;
      }
      forPeers ??= messages.slice(0, position);
      if (!isSnapshot) continue;
      if (cluster.isRemoved(message.to)) this.#sink?.reportSnapshot(message.to, false);
      else this.#snapshots.send(message);
    }
    this.transport.send(forPeers ?? messages);
  }

  /** Takes over what a change of the membership means for the connections. */
  follow({ type, nodeId }: ConfChange): void {
    const { cluster } = this.#options;
    if (nodeId === 0n || nodeId === cluster.localMemberId) return;
    const member = cluster.member(nodeId);
    if (type === ConfChangeType.RemoveNode) {
      this.transport.removePeer(nodeId);
      this.#heartbeats.delete(nodeId);
      this.#snapshots.forget(nodeId);
    } else if (member === undefined) {
      return;
    } else if (type === ConfChangeType.UpdateNode) {
      this.transport.updatePeer(nodeId, member.peerUrls);
    } else {
      this.transport.addPeer(nodeId, member.peerUrls);
    }
  }

  /** Connects to the members as they are now, and to nobody else. */
  reset(): void {
    const { cluster } = this.#options;
    this.transport.removeAllPeers();
    for (const { id, peerUrls } of cluster.members()) {
      if (id !== cluster.localMemberId) this.transport.addPeer(id, peerUrls);
    }
  }

  receive(message: Message): boolean {
    return this.#sink?.receive(message) ?? false;
  }

  saveSnapshotDatabase(index: number, blocks: AsyncIterable<Buffer>): Promise<void> {
    return this.#options.saveSnapshotDatabase(index, blocks);
  }

  isRemoved(id: bigint): boolean {
    return this.#options.cluster.isRemoved(id);
  }

  reportUnreachable(id: bigint): void {
    this.#sink?.reportUnreachable(id);
  }

  reportSnapshot(id: bigint, succeeded: boolean): void {
    this.#snapshots.sent(id, succeeded);
  }

  reportRemoved(): void {
    this.#options.onRemoved();
  }

  /**
   * Heartbeats that come too late let the others think that this leader is gone; almost always the
   * disk or the processor is overloaded.
   */
  #noteHeartbeat(to: bigint): void {
    const { clock, heartbeatMillis, logger } = this.#options;
    const now = clock.monotonicMillis();
    const previous = this.#heartbeats.get(to);
    this.#heartbeats.set(to, now);
    if (previous === undefined || now - previous <= 2 * heartbeatMillis) return;
    // A term of others may have been in between.
    if (now - previous > 2 * heartbeatMillis * this.#options.electionTicks) return;
    (this.#options.lateHeartbeats ?? silentCounter).inc();
    logger.warn(
      'leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk',
      {
        to: formatId(to),
        'heartbeat-interval': `${heartbeatMillis}ms`,
        'expected-duration': `${2 * heartbeatMillis}ms`,
        'exceeded-duration': `${Math.round(now - previous - 2 * heartbeatMillis)}ms`,
      },
    );
  }

  /**
   * A member that restarts in a cluster that lives hears of its leader soon. If it doesn't, it need
   * not wait for a whole election timeout (reference: raft-and-peers A1, tick advance).
   */
  #lookForPeers(looks: number): void {
    const { cluster, clock, electionTicks } = this.#options;
    if (looks === 0 || cluster.members().length === 1) return;
    this.#startLook = clock.setTimer(START_LOOK_MILLIS, () => {
      const active = cluster
        .members()
        .filter(({ id }) => this.transport.activeSince(id) !== undefined).length;
      if (active > 1) this.#sink?.advanceTicks(electionTicks - 2);
      else this.#lookForPeers(looks - 1);
    });
  }
}
