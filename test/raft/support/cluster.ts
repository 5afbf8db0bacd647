import type { Random } from '../../../src/platform/random.js';
import { decodeConfChange } from '../../../src/raft/confchange/codec.js';
import type { RaftConfig } from '../../../src/raft/config.js';
import { RaftError } from '../../../src/raft/errors.js';
import { MemoryStorage } from '../../../src/raft/memory-storage.js';
import { RawNode } from '../../../src/raft/raw-node.js';
import type { StorageAppend } from '../../../src/raft/ready.js';
import { configText } from '../../../src/raft/tracker/tracker.js';
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  NONE,
  type ReadState,
  Role,
  type Snapshot,
} from '../../../src/raft/types.js';
import { memberConfig } from './node.js';

/** A small seeded generator (mulberry32), good enough to shuffle schedules. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    float,
    integer: (bound) => Math.floor(float() * bound),
    bytes: (count) => Buffer.alloc(count),
  };
}

type Overrides = Partial<RaftConfig>;

/** Storage whose snapshots are made when they are asked for, as a member makes those it sends. */
class FreshStorage extends MemoryStorage {
  readonly #refresh: () => void;

  constructor(refresh: () => void) {
    super();
    this.#refresh = refresh;
  }

  override snapshot(): Snapshot {
    this.#refresh();
    return super.snapshot();
  }

  stored(): Snapshot {
    return super.snapshot();
  }
}

/**
 * A member with asynchronous storage writes whose storage holds exactly what is durable, and whose
 * state machine is the list of everything it applied.
 */
export class Member {
  readonly id: bigint;
  storage: FreshStorage;
  node: RawNode;
  applied: string[] = [];
  confState: ConfState;
  readonly readStates: ReadState[] = [];
  /** Appends handed out and not durable yet. */
  readonly disk: StorageAppend[] = [];
  readonly #overrides: Overrides;
  readonly #onApply: (member: Member, entry: Entry) => void;

  constructor(
    id: bigint,
    snapshot: Snapshot | undefined,
    overrides: Overrides,
    onApply: (member: Member, entry: Entry) => void,
  ) {
    this.id = id;
    this.#overrides = overrides;
    this.#onApply = onApply;
    this.confState = snapshot?.confState ?? EMPTY_CONF_STATE;
    this.storage = this.#newStorage();
    if (snapshot !== undefined) {
      const { term, index } = snapshot;
      this.storage.applySnapshot(snapshot);
      this.storage.setHardState({ term, vote: NONE, commit: index });
    }
    this.node = this.#start();
  }

  #newStorage(): FreshStorage {
    return new FreshStorage(() => this.snapshot());
  }

  #start(): RawNode {
    return new RawNode(memberConfig(this.id, this.storage, this.#overrides));
  }

  get role(): Role {
    return this.node.status().role;
  }

  /** Takes one ready; its appends wait for `sync`. Returns the messages that may leave at once. */
  takeReady(): readonly Message[] {
    const ready = this.node.ready();
    this.readStates.push(...ready.readStates);
    if (ready.append !== undefined) this.disk.push(ready.append);
    if (ready.apply !== undefined) {
      for (const entry of ready.apply.entries) this.#apply(entry);
      this.node.applyDone(ready.apply);
    }
    return ready.messages;
  }

  #apply(entry: Entry): void {
    this.#onApply(this, entry);
    if (entry.type === EntryType.Normal) this.applied.push(entry.data.toString());
    else this.confState = this.node.applyConfChange(decodeConfChange(entry));
  }

  #write(append: StorageAppend): void {
    if (append.snapshot !== undefined) this.storage.applySnapshot(append.snapshot);
    this.storage.append(append.entries);
    if (append.hardState !== undefined) this.storage.setHardState(append.hardState);
  }

  /** The oldest append becomes durable. Returns the messages that waited for it. */
  sync(): readonly Message[] {
    const append = this.disk.shift();
    if (append === undefined) return [];
    this.#write(append);
    if (append.snapshot !== undefined) this.#adopt(append.snapshot);
    return this.node.appendDone(append);
  }

  #adopt(snapshot: Snapshot): void {
    this.applied = snapshot.data.length === 0 ? [] : JSON.parse(snapshot.data.toString());
    this.confState = snapshot.confState;
  }

  /** Restarts; `unreported` of the appends in flight reached the disk all the same. */
  crash(unreported: number): void {
    for (const append of this.disk.splice(0).slice(0, unreported)) this.#write(append);
    const old = this.storage;
    const snapshot = old.stored();
    const storage = this.#newStorage();
    if (snapshot.index > 0) storage.applySnapshot(snapshot);
    const last = old.lastIndex();
    if (last > snapshot.index) {
      storage.append(old.entries(snapshot.index + 1, last + 1, Number.POSITIVE_INFINITY));
    }
    const { hardState } = old.initialState();
    if (hardState !== undefined) storage.setHardState(hardState);
    this.storage = storage;
    this.#adopt(snapshot);
    this.readStates.length = 0;
    this.node = this.#start();
  }

  /** Makes a snapshot of the own state. */
  snapshot(): void {
    const { applied } = this.node.status();
    const { storage } = this;
    // A snapshot beyond the durable commit index would be no valid starting point.
    const durableCommit = storage.initialState().hardState?.commit ?? 0;
    if (applied <= storage.stored().index || applied > durableCommit) return;
    storage.createSnapshot(applied, this.confState, Buffer.from(JSON.stringify(this.applied)));
  }

  /** Makes a snapshot and drops the log before it. */
  compact(): void {
    this.snapshot();
    const { index } = this.storage.stored();
    if (index >= this.storage.firstIndex()) this.storage.compact(index);
  }

  /** Returns false if the proposal was dropped. */
  propose(text: string): boolean {
    return ifNotDropped(() => this.node.propose(Buffer.from(text)));
  }

  /** Steps a message as a member does: what must not be stepped is ignored. */
  receive(message: Message): void {
    ifNotDropped(() => this.node.step(message));
  }
}

function ifNotDropped(body: () => void): boolean {
  try {
    body();
    return true;
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    return false;
  }
}

/** Bound on the exchanges until a cluster rests: a hang becomes a failure. */
const MAX_ROUNDS = 1000;

/** Members and the messages between them. */
export class Cluster {
  readonly members: readonly Member[];
  network: Message[] = [];
  /** What was applied at an index, by whoever came first. */
  readonly #history = new Map<number, string>();

  /** @param size number of members, of whom the first `voters` make up the initial configuration. */
  constructor(size: number, voters: number, overrides: Overrides = {}) {
    const ids = Array.from({ length: size }, (_, position) => BigInt(position + 1));
    const confState = { ...EMPTY_CONF_STATE, voters: ids.slice(0, voters) };
    const initial = { data: Buffer.alloc(0), index: 1, term: 1, confState };
    this.members = ids.map(
      (id, position) =>
        new Member(id, position < voters ? initial : undefined, overrides, (member, entry) =>
          this.#check(member, entry),
        ),
    );
  }

  /** No two members may apply different entries at one index, before or after crashes. */
  #check(member: Member, entry: Entry): void {
    const text = `${entry.term}:${entry.type}:${entry.data.toString('hex')}`;
    const known = this.#history.get(entry.index);
    if (known === undefined) this.#history.set(entry.index, text);
    else if (known !== text) {
      throw new Error(`${member.id} applied ${text} at ${entry.index}, where ${known} was applied`);
    }
  }

  member(id: bigint): Member {
    const member = this.members[Number(id) - 1];
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  leader(): Member {
    const leaders = this.members.filter(({ role }) => role === Role.Leader);
    const [leader] = leaders.sort((a, b) => b.node.status().term - a.node.status().term);
    if (leader === undefined) throw new Error(`no leader:\n${this.describe()}`);
    return leader;
  }

  send(messages: readonly Message[]): void {
    this.network.push(...messages);
  }

  deliver(message: Message): void {
    this.member(message.to).receive(message);
    if (message.type === MessageType.Snap) this.#reportSnapshot(message, true);
  }

  drop(message: Message): void {
    if (message.type === MessageType.Snap) this.#reportSnapshot(message, false);
  }

  #reportSnapshot(message: Message, ok: boolean): void {
    this.member(message.from).node.reportSnapshot(message.to, ok);
  }

  /** Works until nothing is left to do, losing the messages that `lost` picks. */
  settle(lost: (message: Message) => boolean = () => false): void {
    let rounds = 0;
    for (let busy = true; busy; ) {
      busy = false;
      if (++rounds > MAX_ROUNDS) {
        throw new Error(`the cluster does not come to rest:\n${this.describe()}`);
      }
      for (const member of this.members) {
        while (member.node.hasReady() || member.disk.length > 0) {
          this.send(member.node.hasReady() ? member.takeReady() : member.sync());
          busy = true;
        }
      }
      for (const message of this.network.splice(0)) {
        if (lost(message)) this.drop(message);
        else this.deliver(message);
        busy = true;
      }
    }
  }

  /** The state of all members, for the message of a failure. */
  describe(): string {
    const lines = this.members.map(({ id, node }) => {
      const { role, term, lead, commit, applied, lastIndex, config, progress } = node.status();
      const peers = [...progress].map(([peer, { text }]) => `${peer}: ${text}`).join('; ');
      return (
        `${id}: role ${role} term ${term} lead ${lead} commit ${commit} applied ${applied} ` +
        `last ${lastIndex} ${configText(config)} ${peers}`
      );
    });
    return lines.join('\n');
  }

  tickAll(): void {
    for (const member of this.members) member.node.tick();
  }
}
