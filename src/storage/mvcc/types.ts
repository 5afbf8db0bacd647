import type { KeyText } from '../../base/bytes.js';

/** A revision: all changes of one transaction share `main`; `sub` numbers them from 0. */
export interface Revision {
  readonly main: number;
  readonly sub: number;
}

/**
 * One change of one key. `keyValue` is the encoded mvccpb.KeyValue that a watch event carries: the
 * stored bytes for a put, {key, mod_revision} for a delete.
 */
export interface MvccEvent {
  readonly isDelete: boolean;
  readonly key: KeyText;
  readonly keyValue: Buffer;
  /** True for the put that created the key: it has no previous value. */
  readonly isCreate: boolean;
  readonly modRevision: number;
}

/** All the changes of one revision, in sub order; never empty. */
export interface MvccChange {
  readonly revision: number;
  readonly events: readonly MvccEvent[];
}

/** The past as watchers read it. */
export interface MvccHistory {
  readonly currentRevision: number;
  /** -1 if the store was never compacted. */
  readonly compactRevision: number;
  /**
   * The changes with `from` <= revision <= current, ascending; the caller stops when it has enough.
   * Valid for this turn of the event loop only. Rows at or below the compacted revision that a
   * running compaction has not deleted yet may be included; callers start at or above it.
   */
  changesFrom(from: number): Iterable<MvccChange>;
  /** The encoded KeyValue of a key as of `revision`; undefined if absent or compacted. */
  keyValueAt(key: KeyText, revision: number): Buffer | undefined;
}

/** What the store needs of the lessor: which lease holds which key. */
export interface LeaseAttachments {
  has(id: bigint): boolean;
  /** The lease a key is attached to, or 0n. */
  leaseOf(key: KeyText): bigint;
  attach(id: bigint, key: KeyText): void;
  detach(id: bigint, key: KeyText): void;
}
