import { WalError } from './wal-error.js';

/** A WAL file, by its name `<sequence>-<index>.wal`, both 16 hex digits. */
export interface SegmentName {
  readonly name: string;
  /** Counts the segments of a log from 0. */
  readonly sequence: number;
  /** Index of the first entry that the segment may hold. */
  readonly index: number;
}

const SEGMENT_NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;
const DIGITS = 16;

export function segmentName(sequence: number, index: number): SegmentName {
  return { name: `${hex16(sequence)}-${hex16(index)}.wal`, sequence, index };
}

/** Undefined if `name` is not that of a segment. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = SEGMENT_NAME.exec(name);
  const sequence = Number.parseInt(match?.[1] ?? '', 16);
  const index = Number.parseInt(match?.[2] ?? '', 16);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(index)) return undefined;
  return { name, sequence, index };
}

/** A number as file names carry it: 16 lower-case hex digits. */
export function hex16(value: number): string {
  return value.toString(16).padStart(DIGITS, '0');
}

/**
 * The segments to read for a log that begins after entry `startIndex`: from the last one whose name
 * index is not above it to the end (reference: formats 1.7). `segments` are in name order.
 *
 * @throws {WalError} file-not-found, sequence-gap
 */
export function segmentsFrom(
  segments: readonly SegmentName[],
  startIndex: number,
): readonly SegmentName[] {
  if (segments.length === 0) throw new WalError('file-not-found', 'wal: file not found');
  const first = segments.findLastIndex((segment) => segment.index <= startIndex);
  if (first < 0) {
    throw new WalError(
      'file-not-found',
      `wal: file not found which matches the snapshot index '${startIndex}'`,
    );
  }
  const chosen = segments.slice(first);
  requireConsecutive(chosen, startIndex);
  return chosen;
}

/** A predecessor of sequence 0 is not checked, as in etcd. */
function requireConsecutive(segments: readonly SegmentName[], startIndex: number): void {
  let last = 0;
  for (const { name, sequence } of segments) {
    if (last !== 0 && sequence !== last + 1) {
      throw new WalError(
        'sequence-gap',
        `wal: file sequence numbers (starting from ${startIndex}) do not increase continuously`,
        { file: name },
      );
    }
    last = sequence;
  }
}
