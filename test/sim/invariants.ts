import type { RaftLog } from '../../src/raft/log.js';
import type { RawNode } from '../../src/raft/raw-node.js';
import { type Entry, type Message, MessageType, Role } from '../../src/raft/types.js';
import type { LocalMember } from '../../src/server/local-member.js';
import type { Chronicle } from './chronicle.js';
import type { Scheduler } from './scheduler.js';
import { Violation } from './violation.js';

/** A member that takes part, as {@link Invariants} look at it. One for each life of a member. */
export interface Observed {
  readonly name: string;
  readonly id: bigint;
  readonly node: RawNode;
  readonly member: LocalMember;
}

/** What was seen of a life of a member. */
interface Seen {
  readonly observed: Observed;
  /** Terms of its log, by index. */
  readonly terms: number[];
  lastIndex: number;
  lastTerm: number;
  firstIndex: number;
  term: number;
  role: Role;
  committed: number;
  applied: number;
  revision: number;
}

/** An entry as somebody first had it. */
interface KnownEntry {
  readonly entry: Entry;
  readonly previousTerm: number | undefined;
}

interface Committed {
  readonly term: number;
  /** The term in which it was first seen to be committed. */
  readonly inTerm: number;
}

/** What a member said to be on its disk. */
interface Vouched {
  /** The highest term it voted or acknowledged entries in. */
  term: number;
  /** Term and index of the last entry that it acknowledged. */
  lastTerm: number;
  lastIndex: number;
}

/** Terms stay below this. */
const TERM_LIMIT = 2 ** 20;

/**
 * What Raft and the state machine promise at all times (Ongaro and Ousterhout, figure 3), looked at
 * after every step of every member. Each look costs as much as has changed since the last.
 */
export class Invariants {
  readonly #scheduler: Scheduler;
  readonly #chronicle: Chronicle;
  readonly #seen = new Map<Observed, Seen>();
  readonly #leaders = new Map<number, bigint>();
  readonly #votes = new Map<string, bigint>();
  readonly #vouched = new Map<bigint, Vouched>();
  readonly #present = new Map<bigint, Observed>();
  readonly #entries = new Map<number, KnownEntry>();
  readonly #committed: (Committed | undefined)[] = [];
  readonly #revisions: (number | undefined)[] = [];

  constructor(scheduler: Scheduler, chronicle: Chronicle) {
    this.#scheduler = scheduler;
    this.#chronicle = chronicle;
  }

  /** Terms that had a leader. */
  get leaderTerms(): number {
    return this.#leaders.size;
  }

  get committedIndex(): number {
    return this.#committed.length - 1;
  }

  /** Looks at a message that leaves a member: what it vouches for must be true for ever. */
  noteMessage(from: bigint, { type, to, term, index, reject }: Message): void {
    if (reject) return;
    if (type === MessageType.VoteResp) this.#noteVote(from, term, to);
    if (type === MessageType.AppResp) this.#noteAppended(from, term, index);
  }

  #noteVote(from: bigint, term: number, to: bigint): void {
    const ballot = `${from}/${term}`;
    const vote = this.#votes.get(ballot);
    if (vote !== undefined && vote !== to) {
      this.#fail('one vote a term', `${from} votes in term ${term} for ${vote} and for ${to}`);
    }
    this.#votes.set(ballot, to);
    const vouched = this.#vouchedBy(from);
    vouched.term = Math.max(vouched.term, term);
  }

  #noteAppended(from: bigint, term: number, index: number): void {
    const vouched = this.#vouchedBy(from);
    vouched.term = Math.max(vouched.term, term);
    const entryTerm = this.#present.get(from)?.node.raft.core.log.term(index) ?? 0;
    if (!isBefore(vouched.lastTerm, vouched.lastIndex, entryTerm, index)) return;
    vouched.lastTerm = entryTerm;
    vouched.lastIndex = index;
  }

  #vouchedBy(id: bigint): Vouched {
    let vouched = this.#vouched.get(id);
    if (vouched === undefined) {
      vouched = { term: 0, lastTerm: 0, lastIndex: 0 };
      this.#vouched.set(id, vouched);
    }
    return vouched;
  }

  /** After a start all must be there that was vouched for before. A log never falls back. */
  #lookAtStart({ name, id, node }: Observed): void {
    const { term, vote, log } = node.raft.core;
    const vouched = this.#vouchedBy(id);
    const promised = this.#votes.get(`${id}/${term}`);
    if (term < vouched.term || (promised !== undefined && promised !== vote)) {
      this.#fail(
        'what is vouched for is durable',
        `${name} starts in term ${term} with a vote for ${vote}; it was in term ${vouched.term} ` +
          `and voted for ${promised}`,
      );
    }
    const lastIndex = log.lastIndex();
    const lastTerm = log.term(lastIndex) ?? 0;
    if (!isBefore(lastTerm, lastIndex, vouched.lastTerm, vouched.lastIndex)) return;
    this.#fail(
      'what is vouched for is durable',
      `${name} starts with a log that ends with ${lastIndex} of term ${lastTerm}; it ` +
        `acknowledged ${vouched.lastIndex} of term ${vouched.lastTerm}`,
    );
  }

  /** Looks at a member. @throws Violation */
  look(observed: Observed): void {
    const seen = this.#seenOf(observed);
    const { core } = observed.node.raft;
    const { log } = core;
    if (core.term < seen.term) {
      this.#fail('monotonic term', `${observed.name} goes from ${seen.term} to ${core.term}`);
    }
    if (core.role === Role.Leader) this.#lookAtLeader(observed, seen, core.term, log);
    seen.firstIndex = Math.max(1, log.firstIndex());
    this.#lookAtLog(observed, seen, log);
    this.#lookAtCommit(observed, seen, core.term, core.role, log);
    seen.term = core.term;
    seen.role = core.role;
    this.#lookAtState(observed, seen);
  }

  #seenOf(observed: Observed): Seen {
    let seen = this.#seen.get(observed);
    if (seen === undefined) {
      seen = {
        observed,
        terms: [],
        lastIndex: 0,
        lastTerm: 0,
        firstIndex: 1,
        term: 0,
        role: Role.Follower,
        committed: 0,
        applied: 0,
        revision: observed.member.store.currentRevision,
      };
      this.#present.set(observed.id, observed);
      this.#lookAtStart(observed);
      this.#lookAtOldRevisions(observed);
      this.#seen.set(observed, seen);
    }
    return seen;
  }

  /** Election safety; leader completeness. */
  #lookAtLeader({ name, id }: Observed, seen: Seen, term: number, log: RaftLog): void {
    if (seen.role === Role.Leader && seen.term === term) return;
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) {
      this.#fail('election safety', `${name} leads in term ${term}, and so did ${other}`);
    }
    this.#leaders.set(term, id);
    for (let index = log.firstIndex(); index < this.#committed.length; index++) {
      const committed = this.#committed[index];
      if (committed === undefined || committed.inTerm >= term) continue;
      const own = log.term(index);
      if (own !== committed.term) {
        this.#fail(
          'leader completeness',
          `${name} leads in term ${term} and has at ${index} an entry of term ${own}; one of ` +
            `term ${committed.term} was committed in term ${committed.inTerm}`,
        );
      }
    }
  }

  /** Log matching: by induction from entry to entry. */
  #lookAtLog({ name }: Observed, seen: Seen, log: RaftLog): void {
    const lastIndex = log.lastIndex();
    const lastTerm = log.term(lastIndex) ?? 0;
    if (lastIndex === seen.lastIndex && lastTerm === seen.lastTerm) return;
    let from = lastIndex;
    while (from >= seen.firstIndex) {
      const term = log.term(from);
      if (term === undefined || (from <= seen.lastIndex && seen.terms[from] === term)) break;
      from--;
    }
    if (from < lastIndex) {
      for (const entry of log.slice(from + 1, lastIndex + 1, Number.POSITIVE_INFINITY)) {
        this.#noteEntry(name, entry, log.term(entry.index - 1));
        seen.terms[entry.index] = entry.term;
      }
    }
    seen.lastIndex = lastIndex;
    seen.lastTerm = lastTerm;
  }

  #noteEntry(name: string, entry: Entry, previousTerm: number | undefined): void {
    const place = entry.index * TERM_LIMIT + entry.term;
    const known = this.#entries.get(place);
    if (known === undefined) {
      this.#entries.set(place, { entry, previousTerm });
      return;
    }
    const isSame =
      known.entry.type === entry.type &&
      known.entry.data.equals(entry.data) &&
      (known.previousTerm === undefined ||
        previousTerm === undefined ||
        known.previousTerm === previousTerm);
    if (isSame) return;
    this.#fail(
      'log matching',
      `${name} has at ${entry.index} another entry of term ${entry.term} than others`,
    );
  }

  /** Monotonic commit; one entry for each index; a leader counts entries of its own term alone. */
  #lookAtCommit({ name }: Observed, seen: Seen, term: number, role: Role, log: RaftLog): void {
    const { committed } = log;
    if (committed === seen.committed) return;
    if (committed < seen.committed) {
      this.#fail('monotonic commit', `${name} goes from ${seen.committed} to ${committed}`);
    }
    const wasLeader = seen.role === Role.Leader && seen.term === term && role === Role.Leader;
    if (wasLeader && log.term(committed) !== term) {
      this.#fail(
        'commit by counting',
        `${name} commits ${committed} of term \
${log.term(committed)} in its term ${term}`,
      );
    }
    for (let index = Math.max(seen.committed + 1, seen.firstIndex); index <= committed; index++) {
      const entryTerm = log.term(index);
      if (entryTerm === undefined) continue;
      const known = this.#committed[index];
      if (known === undefined) this.#committed[index] = { term: entryTerm, inTerm: term };
      else if (known.term !== entryTerm) {
        this.#fail(
          'state machine safety',
          `${name} commits at ${index} an entry of term ${entryTerm}, others one of ${known.term}`,
        );
      }
    }
    seen.committed = committed;
  }

  /** Monotonic apply; the same state after the same entry. */
  #lookAtState({ name, member }: Observed, seen: Seen): void {
    const { appliedIndex } = member;
    if (appliedIndex < seen.applied) {
      this.#fail('monotonic apply', `${name} goes from ${seen.applied} to ${appliedIndex}`);
    }
    if (appliedIndex > seen.committed) {
      this.#fail('apply after commit', `${name} applied ${appliedIndex} of ${seen.committed}`);
    }
    seen.applied = appliedIndex;
    const { store } = member;
    const { currentRevision } = store;
    if (currentRevision < seen.revision) {
      this.#fail('state machine', `${name} goes from ${seen.revision} to ${currentRevision}`);
    }
    if (currentRevision > seen.revision) {
      for (const change of store.changesFrom(seen.revision + 1)) {
        // Some rows of what was compacted may be gone, unless it was made in this very step.
        const isCompacted = change.revision <= store.compactRevision;
        if (isCompacted && this.#chronicle.at(change.revision) !== undefined) continue;
        this.#chronicle.note(name, change, this.#scheduler.now);
      }
      seen.revision = currentRevision;
    }
    this.#lookAtRevision(name, appliedIndex, currentRevision, member);
  }

  #lookAtRevision(name: string, index: number, revision: number, member: LocalMember): void {
    // What the backend held before the start is not replayed, so the index comes after it.
    if (index < consistentIndexOf(member)) return;
    const known = this.#revisions[index];
    if (known === undefined) this.#revisions[index] = revision;
    else if (known !== revision) {
      this.#fail(
        'state machine safety',
        `${name} is at revision ${revision} after entry ${index}, others are at ${known}`,
      );
    }
  }

  /** After a start the keys must be those that were there before. */
  #lookAtOldRevisions({ name, member }: Observed): void {
    const { store } = member;
    const from = Math.max(1, store.compactRevision) + 1;
    if (from > store.currentRevision) return;
    for (const change of store.changesFrom(from)) {
      this.#chronicle.note(name, change, this.#scheduler.now);
    }
  }

  #fail(rule: string, message: string): never {
    throw new Violation(rule, message);
  }
}

const CONSISTENT_INDEX = Buffer.from('consistent_index');

/** How far the log is in the backend, as of its last commit. */
function consistentIndexOf({ backend }: LocalMember): number {
  const bytes = backend.get('meta', CONSISTENT_INDEX);
  return bytes === undefined ? 0 : Number(bytes.readBigUInt64BE(0));
}

/** Whether a log that ends with the first is behind one that ends with the second. */
function isBefore(term: number, index: number, otherTerm: number, otherIndex: number): boolean {
  return term < otherTerm || (term === otherTerm && index < otherIndex);
}
