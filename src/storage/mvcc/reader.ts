import type { KeyText } from '../../base/bytes.js';
import { etcdError } from '../../proto/errors.js';
import type { VisibleRevision } from './key-history.js';
import type { IndexEntry } from './key-index.js';
import { exclusiveEnd, ONE_KEY, type RangeEnd } from './key-range.js';
import { encodeRevisionKey } from './revision-key.js';
import type { MvccState } from './state.js';

/** Reads of the store, each valid within one turn of the event loop. */
export class MvccReader {
  protected readonly state: MvccState;

  constructor(state: MvccState) {
    this.state = state;
  }

  /** The revision that a read of "now" sees, and that response headers carry. */
  get revision(): number {
    return this.state.currentRevision;
  }

  /** -1 if the store was never compacted. */
  get compactRevision(): number {
    return this.state.compactRevision;
  }

  /**
   * The revision a request reads at: 0 and below mean now.
   *
   * @throws EtcdError FutureRev if it is above now, Compacted if it is below the compacted one
   */
  resolveRevision(requested: number): number {
    if (requested > this.revision) {
      throw etcdError('FutureRev');
    }
    const revision = requested <= 0 ? this.revision : requested;
    if (revision < this.compactRevision) {
      throw etcdError('Compacted');
    }
    return revision;
  }

  /** What is visible of one key; the result is overwritten by the next look-up of any kind. */
  lookUp(key: KeyText, atRevision: number): Readonly<VisibleRevision> | undefined {
    return this.state.index.get(key, atRevision);
  }

  /** The keys of a range visible at a revision, in byte order, at most `limit` (0: all). */
  select(key: KeyText, rangeEnd: RangeEnd, atRevision: number, limit: number): IndexEntry[] {
    if (rangeEnd !== ONE_KEY) {
      return this.state.index.range(key, exclusiveEnd(rangeEnd), atRevision, limit);
    }
    const found = this.lookUp(key, atRevision);
    if (found === undefined) {
      return [];
    }
    const { main, sub, created, version } = found;
    return [{ key, main, sub, created, version }];
  }

  /** How many keys of a range are visible at a revision; fast at recent ones. */
  count(key: KeyText, rangeEnd: RangeEnd, atRevision: number): number {
    if (rangeEnd === ONE_KEY) {
      return this.lookUp(key, atRevision) === undefined ? 0 : 1;
    }
    return this.state.index.count(key, exclusiveEnd(rangeEnd), atRevision);
  }

  /**
   * The encoded KeyValue of a revision that a look-up found.
   *
   * @throws Error if the row is missing, which means that index and backend disagree
   */
  fetch(entry: Readonly<Pick<IndexEntry, 'main' | 'sub'>>): Buffer {
    const { main, sub } = entry;
    const keyValue = this.state.backend.get('key', encodeRevisionKey(main, sub));
    if (keyValue === undefined) {
      throw new Error(`the row of revision ${main}/${sub} is missing from the backend`);
    }
    return keyValue;
  }
}
