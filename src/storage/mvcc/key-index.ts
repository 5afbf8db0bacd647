import type { KeyText } from '../../base/bytes.js';
import { KeyHistory, type KeyRecord, SingleRevision, VisibleRevision } from './key-history.js';
import { KeyTree } from './key-tree.js';

/** A revision of a key that is visible to a read. */
export interface IndexEntry {
  readonly key: KeyText;
  readonly main: number;
  readonly sub: number;
  /** create_revision. */
  readonly created: number;
  readonly version: number;
}

/** What one step of a compaction came to. */
export interface CompactedKeys {
  /** Where the next step starts; undefined if the index is done. */
  readonly next: KeyText | undefined;
  /** Whether a revision at or below the compacted one is left among the keys of this step. */
  readonly anyRetained: boolean;
}

/** All keys in byte order with their revisions (reference: semantics 3.2). */
export class KeyIndex {
  readonly #tree = new KeyTree<KeyRecord>(weightOf);
  readonly #found = new VisibleRevision();

  /** Keys, deleted ones that were not compacted yet included. */
  get size(): number {
    return this.#tree.size;
  }

  /** Keys whose newest change is a put. */
  get liveKeys(): number {
    return this.#tree.weight;
  }

  /**
   * Notes a put. Returns the version and create_revision it has, valid until the next call. The
   * revision must be above all earlier ones of the key.
   */
  put(key: KeyText, main: number, sub: number): Readonly<VisibleRevision> {
    const tree = this.#tree;
    const record = tree.seek(key);
    if (record === undefined) {
      tree.insertAtCursor(key, new SingleRevision(main, sub, main, 1), 1, main);
      return this.#report(main, sub, main, 1);
    }
    let history: KeyHistory;
    if (record instanceof SingleRevision) {
      history = KeyHistory.of(record);
      tree.replaceAtCursor(history);
    } else {
      history = record;
    }
    if (!history.isLive) {
      tree.addWeightAtCursor(1, main);
    }
    const { open } = history;
    open.append(main, sub);
    return this.#report(main, sub, open.created, open.version);
  }

  /** Notes a deletion; false if the key is absent or deleted already. */
  tombstone(key: KeyText, main: number, sub: number): boolean {
    const tree = this.#tree;
    const record = tree.seek(key);
    if (record === undefined) {
      return false;
    }
    let history: KeyHistory;
    if (record instanceof SingleRevision) {
      history = KeyHistory.of(record);
      tree.replaceAtCursor(history);
    } else {
      history = record;
    }
    if (!history.tombstone(main, sub)) {
      return false;
    }
    tree.addWeightAtCursor(-1, main);
    return true;
  }

  /**
   * Takes in a row while the index is rebuilt, in revision order (reference: semantics 3.9).
   * `created` and `version` are those of the stored KeyValue and count for the first row of a
   * generation: those before it may be compacted.
   * Returns false if the row is the tombstone of a key that is deleted already: it is ignored.
   */
  restore(
    key: KeyText,
    main: number,
    sub: number,
    isTombstone: boolean,
    created: number,
    version: number,
  ): boolean {
    const record = this.#tree.seek(key);
    if (record === undefined) {
      if (isTombstone) {
        this.#tree.insertAtCursor(key, KeyHistory.ofTombstone(main, sub), 0, main);
      } else {
        this.#tree.insertAtCursor(key, new SingleRevision(main, sub, created, version), 1, main);
      }
      return true;
    }
    if (isTombstone) {
      return this.tombstone(key, main, sub);
    }
    const startsGeneration = record instanceof KeyHistory && !record.isLive;
    this.put(key, main, sub);
    if (startsGeneration) {
      record.open.created = created;
      record.open.version = version;
    }
    return true;
  }

  /** The revision of `key` visible at `atRevision`, valid until the next call. */
  get(key: KeyText, atRevision: number): Readonly<VisibleRevision> | undefined {
    const record = this.#tree.get(key);
    return record !== undefined && lookUp(record, atRevision, this.#found)
      ? this.#found
      : undefined;
  }

  /**
   * The keys with start <= key < end (`end` undefined: to the last) visible at `atRevision`, in
   * order, at most `limit` (0: all).
   */
  range(start: KeyText, end: KeyText | undefined, atRevision: number, limit: number): IndexEntry[] {
    const entries: IndexEntry[] = [];
    const found = new VisibleRevision();
    this.#tree.scan(start, end, (key, record) => {
      if (lookUp(record, atRevision, found)) {
        const { main, sub, created, version } = found;
        entries.push({ key, main, sub, created, version });
      }
      return entries.length !== limit || limit === 0;
    });
    return entries;
  }

  /**
   * How many keys {@link range} without a limit would find. It visits the two ends of the range and
   * where keys came and went after `atRevision`: now and at recent revisions it is fast however many
   * keys there are.
   */
  count(start: KeyText, end: KeyText | undefined, atRevision: number): number {
    if (end !== undefined && end <= start) {
      return 0;
    }
    const found = new VisibleRevision();
    return this.#tree.weightAt(start, end, atRevision, (record) =>
      lookUp(record, atRevision, found) ? 1 : 0,
    );
  }

  /** Visits at most `limit` keys from `start` on; returns where to go on, or undefined at the end. */
  visitChunk(
    start: KeyText,
    limit: number,
    visit: (key: KeyText, record: KeyRecord) => void,
  ): KeyText | undefined {
    let next: KeyText | undefined;
    let visited = 0;
    this.#tree.scan(start, undefined, (key, record) => {
      if (visited === limit) {
        next = key;
        return false;
      }
      visited++;
      visit(key, record);
      return true;
    });
    return next;
  }

  /**
   * Compacts at most `limit` keys from `start` on at `atRevision`. Between two steps the index may
   * be read at or above that revision and written to.
   */
  compactChunk(start: KeyText, atRevision: number, limit: number): CompactedKeys {
    let anyRetained = false;
    const shrunk: [KeyText, SingleRevision | undefined][] = [];
    const next = this.visitChunk(start, limit, (key, record) => {
      if (record instanceof SingleRevision) {
        anyRetained ||= record.main <= atRevision;
        return;
      }
      anyRetained = record.compact(atRevision) || anyRetained;
      const { single } = record;
      if (record.isGone || single !== undefined) {
        shrunk.push([key, single]);
      }
    });
    for (const [key, single] of shrunk) {
      this.#tree.seek(key);
      if (single === undefined) {
        this.#tree.removeAtCursor();
      } else {
        this.#tree.replaceAtCursor(single);
      }
    }
    return { next, anyRetained };
  }

  /** Whether the index holds this revision of the key: after a compaction, whether its row stays. */
  contains(key: KeyText, main: number, sub: number): boolean {
    const record = this.#tree.get(key);
    if (record === undefined) {
      return false;
    }
    return record instanceof SingleRevision
      ? record.main === main && record.sub === sub
      : record.contains(main, sub);
  }

  /** The history of one key, for inspection. */
  historyOf(key: KeyText): KeyHistory | undefined {
    const record = this.#tree.get(key);
    return record instanceof SingleRevision ? KeyHistory.of(record) : record;
  }

  #report(main: number, sub: number, created: number, version: number): VisibleRevision {
    const found = this.#found;
    found.main = main;
    found.sub = sub;
    found.created = created;
    found.version = version;
    return found;
  }
}

/** The revision of a record visible at `atRevision`, into `found`; false if there is none. */
export function lookUp(record: KeyRecord, atRevision: number, found: VisibleRevision): boolean {
  if (record instanceof SingleRevision) {
    if (record.main > atRevision) {
      return false;
    }
    found.main = record.main;
    found.sub = record.sub;
    found.created = record.created;
    found.version = record.version;
    return true;
  }
  return record.lookUp(atRevision, found);
}

function weightOf(record: KeyRecord): number {
  return record instanceof SingleRevision || record.isLive ? 1 : 0;
}
