import { type KeyText, keyBytes, keyText } from '../../base/bytes.js';
import {
  encodeDeletedKeyValue,
  encodeKeyValue,
  encodeTombstone,
} from '../../proto/hot/key-value.js';
import type { RangeEnd } from './key-range.js';
import type { MvccMetrics } from './metrics.js';
import { MvccReader } from './reader.js';
import { encodeRevisionKey } from './revision-key.js';
import type { MvccState } from './state.js';
import type { LeaseAttachments, MvccChange, MvccEvent } from './types.js';

/** What a write transaction needs of the store it belongs to. */
export interface WriteContext {
  readonly state: MvccState;
  readonly leases: LeaseAttachments;
  readonly metrics: MvccMetrics;
  /** Called by {@link WriteTransaction.end} once the revision has moved. */
  onChange(change: MvccChange): void;
}

/**
 * Changes that share one main revision. It runs within one turn of the event loop, sees its own
 * writes, and cannot be rolled back: check first, then write. Without a change no revision is used.
 */
export class WriteTransaction extends MvccReader {
  readonly #context: WriteContext;
  readonly #main: number;
  readonly #events: MvccEvent[] = [];
  #isEnded = false;

  constructor(context: WriteContext) {
    super(context.state);
    if (context.state.isWriting) {
      throw new Error('a write transaction is open already');
    }
    context.state.isWriting = true;
    this.#context = context;
    this.#main = context.state.currentRevision + 1;
  }

  /** Whether anything was written. */
  get isChanged(): boolean {
    return this.#events.length > 0;
  }

  /** The transaction's own revision once it changed something, else the one before it. */
  override get revision(): number {
    return this.isChanged ? this.#main : this.#main - 1;
  }

  /** Writes a key. `lease` 0n detaches it from any. Returns the revision (reference: semantics 3.4). */
  put(key: Buffer, value: Buffer, lease: bigint): number {
    this.#requireOpen();
    const { state, leases, metrics } = this.#context;
    const main = this.#main;
    const text = keyText(key);
    const sub = this.#events.length;
    const { created, version } = state.index.put(text, main, sub);
    const keyValue = encodeKeyValue({
      key,
      createRevision: created,
      modRevision: main,
      version,
      value,
      lease,
    });
    state.backend.put('key', encodeRevisionKey(main, sub), keyValue);
    const isCreate = version === 1;
    this.#events.push({ isDelete: false, key: text, keyValue, isCreate, modRevision: main });
    const before = isCreate ? 0n : leases.leaseOf(text);
    if (before !== lease) {
      if (before !== 0n) {
        leases.detach(before, text);
      }
      if (lease !== 0n) {
        leases.attach(lease, text);
      }
    }
    metrics.puts.inc();
    metrics.putBytes.inc(keyValue.length);
    return main;
  }

  /**
   * Deletes the keys of a range and detaches them from their leases, in byte order, one sub
   * revision each. Appends their last KeyValues to `previous` if it is given. Returns how many
   * there were (reference: semantics 3.5).
   */
  deleteRange(key: KeyText, rangeEnd: RangeEnd, previous?: Buffer[]): number {
    this.#requireOpen();
    const entries = this.select(key, rangeEnd, this.revision, 0);
    for (const entry of entries) {
      previous?.push(this.fetch(entry));
      this.#delete(entry.key);
    }
    return entries.length;
  }

  /** Ends the transaction; the change is announced before anybody can read it. */
  end(): void {
    this.#requireOpen();
    const { state, metrics } = this.#context;
    this.#isEnded = true;
    state.isWriting = false;
    if (!this.isChanged) {
      return;
    }
    state.currentRevision = this.#main;
    metrics.keys.set(state.index.size);
    this.#context.onChange({ revision: this.#main, events: this.#events });
  }

  #requireOpen(): void {
    if (this.#isEnded) {
      throw new Error('the write transaction has ended');
    }
  }

  #delete(key: KeyText): void {
    const { state, leases, metrics } = this.#context;
    const main = this.#main;
    const sub = this.#events.length;
    const bytes = keyBytes(key);
    state.index.tombstone(key, main, sub);
    // Trap: a stored tombstone is {key} alone; only the event carries mod_revision.
    state.backend.put('key', encodeRevisionKey(main, sub, true), encodeTombstone(bytes));
    const keyValue = encodeDeletedKeyValue(bytes, main);
    this.#events.push({ isDelete: true, key, keyValue, isCreate: false, modRevision: main });
    const lease = leases.leaseOf(key);
    if (lease !== 0n) {
      leases.detach(lease, key);
    }
    metrics.deletes.inc();
  }
}
