import type { Random } from '../../src/platform/random.js';
import { type Message, MessageType } from '../../src/raft/types.js';
import { decodeMessage, encodeMessage } from '../../src/server/peer/message-codec.js';
import type {
  CreatePeerTransport,
  PeerReceiver,
  PeerTransport,
  SnapshotDatabase,
} from '../../src/server/peer/peer-transport.js';
import type { SimulatedProcess } from './process.js';
import type { Scheduler } from './scheduler.js';

/** What the network does to messages; changed while it runs. */
export interface NetworkConditions {
  minDelayMillis: number;
  maxDelayMillis: number;
  /** Chance of each message to be lost. */
  lossRate: number;
  /** Chance of each message to arrive twice. */
  duplicateRate: number;
  /** Chance of each message to take up to {@link stragglerMillis}, and so to be overtaken. */
  stragglerRate: number;
  stragglerMillis: number;
}

export const GOOD_NETWORK: Readonly<NetworkConditions> = {
  minDelayMillis: 0.2,
  maxDelayMillis: 2,
  lossRate: 0,
  duplicateRate: 0,
  stragglerRate: 0,
  stragglerMillis: 0,
};

/** Time after which a sender knows that a cut link is dead, ms. */
const UNREACHABLE_AFTER_MILLIS = 50;
/** Blocks of a snapshot that a receiver is given at a time come this far apart, ms. */
const SNAPSHOT_BLOCK_MILLIS = 1;

/** A member that takes part, as others see it. */
interface Endpoint {
  readonly id: bigint;
  readonly process: SimulatedProcess;
  readonly receiver: PeerReceiver;
  readonly transport: SimulatedTransport;
}

/** Told of a message, and of the member that it leaves or reaches. */
export type MessageObserver = (member: bigint, message: Message) => void;

/** Links between members: delay, loss, duplication, reordering and cuts in one or both directions. */
export class SimulatedNetwork {
  conditions: NetworkConditions = { ...GOOD_NETWORK };
  readonly scheduler: Scheduler;
  readonly random: Random;
  onSent: MessageObserver = () => {};
  onArrived: MessageObserver = () => {};
  readonly #endpoints = new Map<bigint, Endpoint>();
  readonly #cut = new Set<string>();

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /** What a member's process connects to its peers with. */
  transportOf(process: SimulatedProcess): CreatePeerTransport {
    return ({ memberId }, receiver) => new SimulatedTransport(this, memberId, process, receiver);
  }

  /** Cuts the way from one member to another, in that direction alone. */
  cut(from: bigint, to: bigint): void {
    this.#cut.add(linkName(from, to));
  }

  mend(from: bigint, to: bigint): void {
    this.#cut.delete(linkName(from, to));
  }

  mendAll(): void {
    this.#cut.clear();
  }

  isCut(from: bigint, to: bigint): boolean {
    return this.#cut.has(linkName(from, to));
  }

  /** For {@link SimulatedTransport} alone. */
  connect(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.id, endpoint);
  }

  /** For {@link SimulatedTransport} alone. The endpoint, if a message can reach it now. */
  reachable(from: bigint, to: bigint): Endpoint | undefined {
    const endpoint = this.#endpoints.get(to);
    if (endpoint === undefined || endpoint.process.isDead || this.isCut(from, to)) return undefined;
    return endpoint;
  }

  delay(): number {
    const { minDelayMillis, maxDelayMillis, stragglerRate, stragglerMillis } = this.conditions;
    const { random } = this;
    const delay = minDelayMillis + random.float() * (maxDelayMillis - minDelayMillis);
    if (stragglerRate > 0 && random.float() < stragglerRate) {
      return delay + random.float() * stragglerMillis;
    }
    return delay;
  }
}

function linkName(from: bigint, to: bigint): string {
  return `${from}>${to}`;
}

class SimulatedTransport implements PeerTransport {
  readonly #network: SimulatedNetwork;
  readonly #id: bigint;
  readonly #process: SimulatedProcess;
  readonly #receiver: PeerReceiver;
  readonly #peers = new Map<bigint, { readonly since: number }>();
  #isStarted = false;

  constructor(
    network: SimulatedNetwork,
    id: bigint,
    process: SimulatedProcess,
    receiver: PeerReceiver,
  ) {
    this.#network = network;
    this.#id = id;
    this.#process = process;
    this.#receiver = receiver;
  }

  start(): void {
    this.#isStarted = true;
    this.#network.connect({
      id: this.#id,
      process: this.#process,
      receiver: this.#receiver,
      transport: this,
    });
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (!this.#peers.has(message.to)) continue;
      this.#network.onSent(this.#id, message);
      this.#post(copyOf(message));
    }
  }

  #post(message: Message): void {
    const { random, conditions } = this.#network;
    if (conditions.lossRate > 0 && random.float() < conditions.lossRate) {
      if (random.integer(2) === 0) this.#reportLater(message.to);
      return;
    }
    this.#deliverLater(message);
    // A stream never says anything twice. Raft tolerates it, all but what is not Raft's: a proposal
    // that comes twice is two proposals.
    if (message.type === MessageType.Prop) return;
    if (conditions.duplicateRate > 0 && random.float() < conditions.duplicateRate) {
      this.#deliverLater(copyOf(message));
    }
  }

  #deliverLater(message: Message): void {
    const network = this.#network;
    const target = network.reachable(this.#id, message.to);
    if (target === undefined) {
      this.#reportLater(message.to);
      return;
    }
    network.scheduler.schedule(network.delay(), target.process, () => {
      const now = network.reachable(this.#id, message.to);
      if (now === target) target.transport.deliver(message);
    });
  }

  /** Takes what arrived. Trap: those who were removed must be told, and not listened to. */
  deliver(message: Message): void {
    if (!this.#isStarted) return;
    if (this.#receiver.isRemoved(message.from)) {
      this.#network.reachable(this.#id, message.from)?.transport.tellRemoved(this.#id);
      return;
    }
    // Trap: a member that lags may not know yet who leads it, and must answer all the same.
    this.addRemote(message.from);
    this.#network.onArrived(this.#id, message);
    this.#receiver.receive(message);
  }

  /** A peer refused us because we were removed. */
  tellRemoved(by: bigint): void {
    if (this.#network.isCut(by, this.#id)) return;
    this.#process.setTimer(this.#network.delay(), () => this.#receiver.reportRemoved());
  }

  #reportLater(to: bigint): void {
    this.#process.setTimer(UNREACHABLE_AFTER_MILLIS, () => {
      if (this.#isStarted && this.#peers.has(to)) this.#receiver.reportUnreachable(to);
    });
  }

  sendSnapshot(message: Message, database: SnapshotDatabase): void {
    this.#network.onSent(this.#id, message);
    const copy = copyOf(message);
    this.#transfer(copy, database).then(
      (arrived) => {
        if (!arrived) this.#receiver.reportUnreachable(message.to);
        this.#receiver.reportSnapshot(message.to, arrived);
      },
      (error: unknown) => this.#network.scheduler.fail(error),
    );
  }

  /** False: the way was cut, or the receiver could not store the database. */
  async #transfer(message: Message, database: SnapshotDatabase): Promise<boolean> {
    const network = this.#network;
    const target = network.reachable(this.#id, message.to);
    const blocks: Buffer[] = [];
    try {
      await this.#process.sleep(network.delay());
      let bytes = 0;
      for await (const block of database.blocks()) {
        blocks.push(Buffer.from(block));
        bytes += block.length;
        await this.#process.sleep(SNAPSHOT_BLOCK_MILLIS);
      }
      if (bytes !== database.bytes) throw new Error(`${bytes} of ${database.bytes} bytes came`);
    } finally {
      database.close();
    }
    const isLost = network.random.float() < network.conditions.lossRate;
    if (target === undefined || isLost) return false;
    if (network.reachable(this.#id, message.to) !== target) return false;
    return new Promise((resolve) => {
      // The answer comes to the sender, unless it died or the receiver did.
      const answer = (arrived: boolean): void => {
        this.#process.setTimer(network.delay(), () => resolve(arrived));
      };
      this.#process.setTimer(SNAPSHOT_ANSWER_MILLIS, () => resolve(false));
      network.scheduler.schedule(network.delay(), target.process, () => {
        target.transport.takeSnapshot(message, blocks).then(
          () => answer(true),
          () => answer(false),
        );
      });
    });
  }

  /** Stores the database and then takes the message, as a peer's HTTP handler does. */
  async takeSnapshot(message: Message, blocks: readonly Buffer[]): Promise<void> {
    if (this.#receiver.isRemoved(message.from)) throw new Error('the sender was removed');
    const process = this.#process;
    async function* arriving(): AsyncGenerator<Buffer> {
      for (const block of blocks) {
        await process.sleep(SNAPSHOT_BLOCK_MILLIS);
        yield block;
      }
    }
    this.#network.onArrived(this.#id, message);
    await this.#receiver.saveSnapshotDatabase(message.snapshot?.index ?? 0, arriving());
    this.deliver(message);
  }

  addPeer(id: bigint): void {
    if (id === this.#id || this.#peers.has(id)) return;
    this.#peers.set(id, { since: this.#process.monotonicMillis() });
  }

  addRemote(id: bigint): void {
    this.addPeer(id);
  }

  updatePeer(): void {}

  removePeer(id: bigint): void {
    this.#peers.delete(id);
  }

  removeAllPeers(): void {
    this.#peers.clear();
  }

  activeSince(id: bigint): number | undefined {
    const isActive =
      this.#network.reachable(this.#id, id) !== undefined && !this.#network.isCut(id, this.#id);
    return isActive ? this.#peers.get(id)?.since : undefined;
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
  }
}

/** Time after which the sender of a snapshot gives up waiting for the answer, ms. */
const SNAPSHOT_ANSWER_MILLIS = 5000;

/** What crosses the network does so as bytes. */
function copyOf(message: Message): Message {
  return decodeMessage(encodeMessage(message));
}
