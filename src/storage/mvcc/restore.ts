import { type KeyText, keyText } from '../../base/bytes.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import { DecodeError } from '../../proto/decode-error.js';
import { KeyValue } from '../../proto/gen/mvccpb/kv.js';
import type { Backend } from '../backend/backend.js';
import { readCompactionMarks } from './compaction-marks.js';
import {
  encodeRevisionKey,
  isTombstoneKey,
  mainRevisionOf,
  subRevisionOf,
} from './revision-key.js';
import { MvccState } from './state.js';

/** Rows read in one turn of the event loop. */
const CHUNK_ROWS = 2000;

/** What a backend held. */
export interface RestoredState {
  readonly state: MvccState;
  /** The lease of each key that has one. */
  readonly leases: ReadonlyMap<KeyText, bigint>;
  /** A compaction that was decided but not finished; to be queued again. */
  readonly unfinishedCompaction: number | undefined;
}

/** Rebuilds the index, row by row in the order of the `key` bucket (reference: semantics 3.9). */
export class StateRestorer {
  readonly #state: MvccState;
  readonly #leases = new Map<KeyText, bigint>();
  readonly #logger: Logger;
  #lastRow: Buffer | undefined;

  constructor(backend: Backend, logger: Logger) {
    this.#state = new MvccState(backend);
    this.#logger = logger;
  }

  /** @throws DecodeError that names the row if it is not a KeyValue */
  add(rowKey: Buffer, value: Buffer): void {
    try {
      restoreRow(this.#state, this.#leases, rowKey, value, this.#logger);
    } catch (error) {
      throw error instanceof DecodeError ? damagedRow(rowKey, error) : error;
    }
    this.#lastRow = rowKey;
  }

  /** To be called once, when the backend holds these rows and the marks that belong to them. */
  finish(): RestoredState {
    const state = this.#state;
    const { finished = -1, scheduled = -1 } = readCompactionMarks(state.backend);
    const last = this.#lastRow === undefined ? 1 : mainRevisionOf(this.#lastRow);
    state.compactRevision = finished;
    // Trap: the last row is not always the current revision: a compaction may have deleted it.
    state.currentRevision = Math.max(last, finished, scheduled);
    const unfinishedCompaction = scheduled > finished ? scheduled : undefined;
    return { state, leases: this.#leases, unfinishedCompaction };
  }
}

/**
 * Rebuilds the index from the rows of a backend. `onProgress` is told the number of rows read so far
 * after each chunk. The backend must not be written to meanwhile.
 *
 * @throws DecodeError if a row is not a KeyValue
 */
export async function restoreState(
  backend: Backend,
  clock: Clock,
  logger: Logger,
  onProgress: (rows: number) => void,
): Promise<RestoredState> {
  const restorer = new StateRestorer(backend, logger);
  let rows = 0;
  let start = encodeRevisionKey(1, 0);
  for (;;) {
    let read = 0;
    let last: Buffer | undefined;
    for (const [key, value] of backend.range('key', start, undefined, CHUNK_ROWS)) {
      restorer.add(key, value);
      last = key;
      read++;
    }
    rows += read;
    onProgress(rows);
    if (read < CHUNK_ROWS || last === undefined) return restorer.finish();
    start = encodeRevisionKey(mainRevisionOf(last), subRevisionOf(last) + 1);
    await new Promise<void>((resolve) => clock.defer(resolve));
  }
}

function damagedRow(rowKey: Buffer, { reason, offset }: DecodeError): DecodeError {
  const revision = `${mainRevisionOf(rowKey)}/${subRevisionOf(rowKey)}`;
  const told = `the row of revision ${revision} in the bucket key can't be read: ${reason}`;
  return new DecodeError(told, offset);
}

function restoreRow(
  state: MvccState,
  leases: Map<KeyText, bigint>,
  rowKey: Buffer,
  value: Buffer,
  logger: Logger,
): void {
  const isTombstone = isTombstoneKey(rowKey);
  const { key, createRevision, version, lease } = KeyValue.decode(value);
  const text = keyText(key);
  const main = mainRevisionOf(rowKey);
  const sub = subRevisionOf(rowKey);
  if (!state.index.restore(text, main, sub, isTombstone, createRevision, version)) {
    logger.warn('ignored the tombstone of a key that is deleted already', { main, sub });
  }
  if (!isTombstone && lease !== 0n) {
    leases.set(text, lease);
  } else if (leases.size > 0) {
    leases.delete(text);
  }
}
