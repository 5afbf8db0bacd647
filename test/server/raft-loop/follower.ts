import { silentLogger } from '../../../src/base/logger.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { decodeConfChange } from '../../../src/raft/confchange/codec.js';
import { MemoryStorage } from '../../../src/raft/memory-storage.js';
import { RawNode } from '../../../src/raft/raw-node.js';
import {
  EMPTY_CONF_STATE,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  newMessage,
  type Snapshot,
} from '../../../src/raft/types.js';
import { RaftLoop, type RaftLoopOptions } from '../../../src/server/raft-loop/raft-loop.js';
import { WalWriter } from '../../../src/storage/wal/writer.js';

export const LOCAL = 1n;
export const LEADER = 2n;
const CONF_STATE = { ...EMPTY_CONF_STATE, voters: [LOCAL, LEADER, 3n] };
const EMPTY = Buffer.alloc(0);
const SNAPSHOT: Snapshot = { data: EMPTY, index: 10, term: 1, confState: CONF_STATE };

/** A gate that whoever waits at it passes once it is opened. */
export class Gate {
  readonly passed: Promise<void>;
  open: () => void = () => {};
  constructor() {
    this.passed = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

/** A follower's loop without a member around it. */
export class Follower {
  readonly applied: string[] = [];
  readonly sent: Message[] = [];
  readonly failures: unknown[] = [];
  readonly wal: WalWriter;
  readonly node: RawNode;
  readonly loop: RaftLoop;

  private constructor(wal: WalWriter, overrides: Partial<RaftLoopOptions>) {
    this.wal = wal;
    const storage = new MemoryStorage();
    storage.applySnapshot({ ...SNAPSHOT, index: 1 });
    this.node = new RawNode({
      id: LOCAL,
      electionTick: 10,
      heartbeatTick: 1,
      storage,
      random: seededRandom(1),
      logger: silentLogger,
      asyncStorageWrites: true,
      maxSizePerMessage: 1024,
      maxInflightMessages: 16,
      checkQuorum: true,
      preVote: true,
    });
    this.loop = new RaftLoop(
      {
        node: this.node,
        storage,
        wal,
        clock: nodeClock,
        logger: silentLogger,
        tickMillis: 1_000_000,
        readTimeoutMillis: 1000,
        nextId: () => 1n,
        isAwaited: () => false,
        apply: (entry) => this.#apply(entry),
        backpressure: () => undefined,
        saveSnapshot: async () => {},
        installSnapshot: async ({ index }) => {
          this.applied.push(`snapshot ${index}`);
        },
        onApplied: () => {},
        onSoftState: () => {},
        send: (messages) => this.sent.push(...messages),
        onFatal: (error) => this.failures.push(error),
        ...overrides,
      },
      1,
    );
    this.loop.start();
  }

  static async start(overrides: Partial<RaftLoopOptions> = {}): Promise<Follower> {
    const options = { clock: nodeClock, segmentBytes: 4096 };
    const wal = await WalWriter.create(new MemoryFs(), '/wal', Buffer.from('m'), options);
    return new Follower(wal, overrides);
  }

  get voters(): readonly bigint[] {
    return this.node.raft.core.tracker.confState().voters;
  }

  append(entries: readonly Entry[], commit: number): void {
    const message = fromLeader(MessageType.App);
    message.index = (entries[0]?.index ?? 1) - 1;
    message.logTerm = 1;
    message.entries = entries;
    message.commit = commit;
    this.loop.receive(message);
  }

  receiveSnapshot(snapshot: Snapshot = SNAPSHOT): void {
    const message = fromLeader(MessageType.Snap);
    message.snapshot = snapshot;
    this.loop.receive(message);
  }

  async stop(): Promise<void> {
    await this.loop.stop(new Error('stopped'));
    await this.wal.close();
  }

  #apply(entry: Entry): void {
    this.applied.push(`entry ${entry.index}`);
    if (entry.type === EntryType.ConfChange) this.node.applyConfChange(decodeConfChange(entry));
  }
}

export function fromLeader(type: MessageType): Message {
  const message = newMessage(type, LOCAL);
  message.from = LEADER;
  message.term = 1;
  return message;
}

export function put(index: number): Entry {
  return { type: EntryType.Normal, term: 1, index, data: Buffer.from('x') };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
