import { crc32c } from '../../../src/base/crc32c.js';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';

/** A change as the model is told it: the operations of one transaction, in order. */
export type ModelWrite =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: 'delete'; readonly key: string; readonly end: string };

/** One row of the `key` bucket as the model expects it. */
export interface ModelRow {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  /** Undefined: a deletion. */
  readonly keyValue: KeyValue | undefined;
}

export type ModelState = ReadonlyMap<string, ModelRow & { readonly keyValue: KeyValue }>;

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/**
 * What the store must look like, in the plainest terms: the full state at every revision and every
 * row ever written. Nothing is ever forgotten; compaction is a number.
 */
export class MvccModel {
  readonly #states: ModelState[] = [new Map(), new Map()];
  readonly #rows: ModelRow[] = [];
  compactRevision = -1;

  get currentRevision(): number {
    return this.#states.length - 1;
  }

  stateAt(revision: number): ModelState {
    return this.#states[revision] ?? new Map();
  }

  write(operations: readonly ModelWrite[]): void {
    const main = this.currentRevision + 1;
    const state = new Map(this.stateAt(this.currentRevision));
    const rows: ModelRow[] = [];
    for (const operation of operations) {
      const sub = rows.length;
      if (operation.kind === 'put') {
        const { key } = operation;
        const row = {
          main,
          sub,
          key,
          keyValue: putOver(state.get(key)?.keyValue, operation, main),
        };
        rows.push(row);
        state.set(key, row);
        continue;
      }
      const { key, end } = operation;
      const deleted = [...state.keys()].filter((k) =>
        end === '' ? k === key : k >= key && k < end,
      );
      for (const k of deleted.sort()) {
        rows.push({ main, sub: rows.length, key: k, keyValue: undefined });
        state.delete(k);
      }
    }
    if (rows.length > 0) {
      this.#states.push(state);
      this.#rows.push(...rows);
    }
  }

  /** Rows that a finished compaction leaves. */
  survivingRows(): ModelRow[] {
    const compacted = this.compactRevision;
    const visible = this.stateAt(Math.max(0, compacted));
    return this.#rows.filter(
      (row) =>
        row.main > compacted ||
        visible.get(row.key) === row ||
        (row.main === compacted && row.keyValue === undefined),
    );
  }

  /**
   * HashKV by the book, from all rows ever written (reference: semantics 3.8). A compaction takes
   * its hash with what it keeps, a tombstone at the revision included; a hash taken on request
   * knows the visible rows alone. It matters where nothing is visible.
   */
  hashAt(revision: number, compactRevision: number, isTakenByCompaction = false): number {
    const keep = new Map<string, ModelRow>(this.stateAt(revision));
    if (isTakenByCompaction) {
      for (const row of this.#rows) {
        if (row.main === revision && row.keyValue === undefined && !keep.has(row.key)) {
          keep.set(row.key, row);
        }
      }
    }
    const compacted = this.stateAt(Math.max(0, compactRevision));
    let crc = crc32c(bytes('key'));
    for (const row of this.#rows) {
      const { main, keyValue, key } = row;
      const isOld = main <= compactRevision;
      // With nothing to keep nothing is left out; but then only what was visible is still there.
      const isLeftOut = isOld && (keep.size > 0 ? keep : compacted).get(key) !== row;
      if (main > revision || isLeftOut) {
        continue;
      }
      const [rowKey, value] = encodeRow(row);
      if (keyValue !== undefined || main !== compactRevision) {
        crc = crc32c(value, crc32c(rowKey, crc));
      }
    }
    return crc;
  }
}

/** A row as bytes, made without any code of the store. */
export function encodeRow({ main, sub, key, keyValue }: ModelRow): [Buffer, Buffer] {
  const rowKey = Buffer.alloc(keyValue === undefined ? 18 : 17, 't');
  rowKey.writeBigUInt64BE(BigInt(main), 0);
  rowKey.write('_', 8);
  rowKey.writeBigUInt64BE(BigInt(sub), 9);
  const message = keyValue ?? KeyValue.create({ key: bytes(key) });
  return [rowKey, Buffer.from(KeyValue.encode(message).finish())];
}

function putOver(
  before: KeyValue | undefined,
  { key, value, lease }: Extract<ModelWrite, { kind: 'put' }>,
  main: number,
): KeyValue {
  return {
    key: bytes(key),
    createRevision: before?.createRevision ?? main,
    modRevision: main,
    version: (before?.version ?? 0) + 1,
    value: bytes(value),
    lease,
  };
}
