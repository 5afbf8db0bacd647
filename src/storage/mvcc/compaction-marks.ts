import type { Backend } from '../backend/backend.js';
import { encodeRevisionKey, mainRevisionOf } from './revision-key.js';

const SCHEDULED = Buffer.from('scheduledCompactRev', 'latin1');
const FINISHED = Buffer.from('finishedCompactRev', 'latin1');

/** How far compaction is, as the `meta` bucket has it (reference: formats 4.1). */
export interface CompactionMarks {
  readonly scheduled: number | undefined;
  readonly finished: number | undefined;
}

export function readCompactionMarks(backend: Backend): CompactionMarks {
  return { scheduled: read(backend, SCHEDULED), finished: read(backend, FINISHED) };
}

export function markScheduled(backend: Backend, revision: number): void {
  backend.put('meta', SCHEDULED, encodeRevisionKey(revision, 0));
}

export function markFinished(backend: Backend, revision: number): void {
  backend.put('meta', FINISHED, encodeRevisionKey(revision, 0));
}

function read(backend: Backend, key: Buffer): number | undefined {
  const value = backend.get('meta', key);
  return value === undefined ? undefined : mainRevisionOf(value);
}
