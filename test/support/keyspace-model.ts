import { crc32c } from '../../src/base/crc32c.js';
import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';

/** What one step of a transaction does. */
export type ModelChange =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: 'delete'; readonly key: string };

/** A row of the `key` bucket. */
export interface ModelRow {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  /** Undefined: a deletion. */
  readonly keyValue: KeyValue | undefined;
}

/** One change as a watcher sees it. */
export interface ModelEvent {
  readonly key: string;
  /** Undefined: a deletion. */
  readonly keyValue: KeyValue | undefined;
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/**
 * The keys of an etcd in the plainest terms, small enough to live through long histories: the live
 * keys now, and the rows that compactions left. One key at least must always be live (see
 * {@link KeyspaceModel.hashAt}).
 */
export class KeyspaceModel {
  readonly #live = new Map<string, KeyValue>();
  #rows: ModelRow[] = [];
  #currentRevision = 1;
  #compactRevision = -1;

  get currentRevision(): number {
    return this.#currentRevision;
  }

  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Live keys, with what each holds. */
  get live(): ReadonlyMap<string, KeyValue> {
    return this.#live;
  }

  /** Live keys in `[key, end)`, or the one key if `end` is empty, in order. */
  keysIn(key: string, end: string): string[] {
    if (end === '') return this.#live.has(key) ? [key] : [];
    return [...this.#live.keys()].filter((candidate) => candidate >= key && candidate < end).sort();
  }

  keysOfLease(lease: bigint): string[] {
    return [...this.#live]
      .filter(([, keyValue]) => keyValue.lease === lease)
      .map(([key]) => key)
      .sort();
  }

  /** Applies the changes of one transaction; none is no transaction. Returns them as events. */
  apply(changes: readonly ModelChange[]): ModelEvent[] {
    if (changes.length === 0) return [];
    const main = ++this.#currentRevision;
    return changes.map((change, sub) => {
      const keyValue = change.kind === 'put' ? this.#putOver(change, main) : undefined;
      const { key } = change;
      if (keyValue === undefined) this.#live.delete(key);
      else this.#live.set(key, keyValue);
      this.#rows.push({ main, sub, key, keyValue });
      return { key, keyValue };
    });
  }

  compact(revision: number): void {
    const visible = this.#visibleAt(revision);
    this.#compactRevision = revision;
    this.#rows = this.#rows.filter((row) => row.main > revision || visible.get(row.key) === row);
  }

  /**
   * HashKV by the book (reference: semantics 3.8), for revisions from the compacted one on. The
   * rules differ where no key is left, which this model does not cover.
   */
  hashAt(revision: number): number {
    const keep = this.#visibleAt(revision);
    if (keep.size === 0) throw new Error('the model does not know the hash of an empty keyspace');
    let crc = crc32c(latin1('key'));
    for (const row of this.#rows) {
      if (row.main > revision) break;
      const isOld = row.main <= this.#compactRevision;
      if (isOld && keep.get(row.key) !== row) continue;
      const [rowKey, value] = encodeRow(row);
      crc = crc32c(value, crc32c(rowKey, crc));
    }
    return crc;
  }

  /** The row that each key live at `revision` is read from. */
  #visibleAt(revision: number): Map<string, ModelRow> {
    const visible = new Map<string, ModelRow>();
    for (const row of this.#rows) {
      if (row.main > revision) break;
      if (row.keyValue === undefined) visible.delete(row.key);
      else visible.set(row.key, row);
    }
    return visible;
  }

  #putOver(change: Extract<ModelChange, { kind: 'put' }>, main: number): KeyValue {
    const before = this.#live.get(change.key);
    return {
      key: latin1(change.key),
      createRevision: before?.createRevision ?? main,
      modRevision: main,
      version: (before?.version ?? 0) + 1,
      value: latin1(change.value),
      lease: change.lease,
    };
  }
}

/** A row as bytes, made without any code of the store. */
function encodeRow({ main, sub, key, keyValue }: ModelRow): [Buffer, Buffer] {
  const rowKey = Buffer.alloc(keyValue === undefined ? 18 : 17, 't');
  rowKey.writeBigUInt64BE(BigInt(main), 0);
  rowKey.write('_', 8);
  rowKey.writeBigUInt64BE(BigInt(sub), 9);
  const message = keyValue ?? KeyValue.create({ key: latin1(key) });
  return [rowKey, Buffer.from(KeyValue.encode(message).finish())];
}
