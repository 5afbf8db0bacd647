import { type KeyText, keyText } from '../../base/bytes.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
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

/**
 * Rebuilds the index from the rows of a backend (reference: semantics 3.9). `onProgress` is told
 * the number of rows read so far after each chunk. The backend must not be written to meanwhile.
 *
 * @throws DecodeError if a row is not a KeyValue
 */
export async function restoreState(
  backend: Backend,
  clock: Clock,
  logger: Logger,
  onProgress: (rows: number) => void,
): Promise<RestoredState> {
  const state = new MvccState(backend);
  const leases = new Map<KeyText, bigint>();
  const marks = readCompactionMarks(backend);
  let rows = 0;
  let start = encodeRevisionKey(1, 0);
  for (;;) {
    let read = 0;
    let last: Buffer | undefined;
    for (const [key, value] of backend.range('key', start, undefined, CHUNK_ROWS)) {
      restoreRow(state, leases, key, value, logger);
      last = key;
      read++;
    }
    rows += read;
    if (last !== undefined) {
      state.currentRevision = mainRevisionOf(last);
      start = encodeRevisionKey(state.currentRevision, subRevisionOf(last) + 1);
    }
    onProgress(rows);
    if (read < CHUNK_ROWS) {
      break;
    }
    await new Promise<void>((resolve) => clock.defer(resolve));
  }
  // Trap: the last row is not always the current revision: a compaction may have deleted it.
  const { finished = -1, scheduled = -1 } = marks;
  state.compactRevision = finished;
  state.currentRevision = Math.max(state.currentRevision, finished, scheduled);
  const unfinishedCompaction = scheduled > finished ? scheduled : undefined;
  return { state, leases, unfinishedCompaction };
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
