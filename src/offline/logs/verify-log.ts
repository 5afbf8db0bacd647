import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../base/logger.js';
import type { FileHandle, Fs } from '../../platform/fs.js';
import type { RecordFields } from '../../proto/hot/record.js';
import { LENGTH_FIELD_BYTES } from '../../storage/wal/frame.js';
import { type RecordPosition, readRecords, type WalEnd } from '../../storage/wal/record-reader.js';
import { EMPTY_HARD_STATE, type HardState, RecordType } from '../../storage/wal/record-types.js';
import type { SegmentName } from '../../storage/wal/segment-name.js';
import { listSegments } from '../../storage/wal/segments.js';
import { WalError } from '../../storage/wal/wal-error.js';
import { checkSnapshots, type SnapshotFacts } from './check-snapshots.js';
import { Contradiction, LogCheck, type LogExtent } from './log-check.js';
import { snapDirectoryOf, walDirectoryOf } from './log-directory.js';
import { type RecordsBehind, scanBehind } from './scan-behind.js';

const CHUNK_BYTES = 1024 * 1024;
/** Records begin at multiples of this. */
const FRAME_ALIGNMENT = 8;
/** How long a running member gets to finish what looked like a damage, ms. */
const SETTLE_MILLIS = 50;
const MAX_LOOKS = 5;

/** Where a log can't be read on. */
export interface LogDamage {
  readonly file: string;
  /** Offset of the record in the file, bytes. */
  readonly offset: number;
  /** Number of the record in the file, from 1. */
  readonly record: number;
  readonly reason: string;
}

export interface SegmentFacts {
  readonly name: string;
  /** Records that are right. */
  readonly records: number;
  /** End of the last of them in the file, bytes. */
  readonly usedBytes: number;
}

/** What was found out about a log. */
export interface LogVerdict {
  readonly directory: string;
  readonly isSound: boolean;
  /** The first damage. */
  readonly damage: LogDamage | undefined;
  /**
   * The log ends within a record, as it does after a crash: nothing that was promised is lost, and the
   * next start cuts it off.
   */
  readonly torn: LogDamage | undefined;
  /** What can be read again behind either, in the same file. */
  readonly behind: RecordsBehind | undefined;
  readonly segments: readonly SegmentFacts[];
  /** Entries up to the damage. */
  readonly extent: LogExtent;
  readonly hardState: HardState;
  /** Undefined if the place of the `.snap` files is not known. */
  readonly snapshots: readonly SnapshotFacts[] | undefined;
  /** What does not fit together although every record is right. */
  readonly problems: readonly string[];
}

/** There is no log at a path. */
export class NoLogError extends Error {
  override readonly name = 'NoLogError';
}

/** Takes bytes done and bytes in all. */
type Progress = (done: number, total: number) => void;

/**
 * As {@link inspectLog}, for a member that may be running: what looks damaged counts if it is there
 * twice, for a write is not visible all at once.
 *
 * @throws NoLogError, ErrnoException
 */
export async function verifyLog(fs: Fs, path: string, onProgress?: Progress): Promise<LogVerdict> {
  let verdict = await inspectLog(fs, path, onProgress);
  for (let look = 1; look < MAX_LOOKS && !verdict.isSound; look++) {
    await sleep(SETTLE_MILLIS);
    const again = await inspectLog(fs, path, onProgress);
    if (isSamePlace(again.damage, verdict.damage)) return again;
    verdict = again;
  }
  return verdict;
}

/**
 * Checks the log of a data directory, or of a WAL directory: frames, CRC chain, metadata, record
 * types, order of files, entries, terms and commits, and the `.snap` files that its records name.
 * Nothing is locked or changed.
 *
 * @throws NoLogError, ErrnoException
 */
export async function inspectLog(fs: Fs, path: string, onProgress?: Progress): Promise<LogVerdict> {
  return new LogVerifier(fs, await findLog(fs, path), onProgress).verify();
}

function isSamePlace(left: LogDamage | undefined, right: LogDamage | undefined): boolean {
  return left?.file === right?.file && left?.offset === right?.offset;
}

interface LogPlace {
  readonly wal: string;
  readonly snap: string | undefined;
}

async function findLog(fs: Fs, path: string): Promise<LogPlace> {
  if ((await fs.stat(path)) === undefined) throw new NoLogError(`"${path}" does not exist`);
  const candidates = [
    { wal: walDirectoryOf(path), snap: snapDirectoryOf(path) },
    { wal: path, snap: join(path, '..', 'snap') },
  ];
  for (const { wal, snap } of candidates) {
    if ((await fs.stat(wal))?.isDirectory !== true) continue;
    if ((await listSegments(fs, wal, silentLogger)).length === 0) continue;
    return { wal, snap: (await fs.stat(snap)) === undefined ? undefined : snap };
  }
  throw new NoLogError(`there is no write-ahead log in "${path}"`);
}

class LogVerifier {
  readonly #fs: Fs;
  readonly #place: LogPlace;
  readonly #onProgress: Progress | undefined;
  readonly #check = new LogCheck();
  readonly #segments: SegmentFacts[] = [];
  #damage: LogDamage | undefined;
  #torn: LogDamage | undefined;
  #behind: RecordsBehind | undefined;
  /** Running CRC at the end of the last segment that was read. */
  #crc = 0;

  constructor(fs: Fs, place: LogPlace, onProgress: Progress | undefined) {
    this.#fs = fs;
    this.#place = place;
    this.#onProgress = onProgress;
  }

  async verify(): Promise<LogVerdict> {
    const { wal, snap } = this.#place;
    const segments = await listSegments(this.#fs, wal, silentLogger);
    for (const [at, segment] of segments.entries()) {
      this.#onProgress?.(at, segments.length);
      const before = segments[at - 1];
      if (before !== undefined && segment.sequence !== before.sequence + 1) {
        const reason = `the file that comes between ${before.name} and this one is missing`;
        this.#damage = { file: segment.name, offset: 0, record: 1, reason };
      } else {
        await this.#readSegment(segment, segment === segments.at(-1));
      }
      if (this.#damage !== undefined) break;
    }
    const check = this.#check;
    const isWhole = this.#damage === undefined;
    const problems = isWhole ? commitProblems(check) : [];
    const found =
      snap === undefined ? undefined : await checkSnapshots(this.#fs, snap, check, isWhole);
    problems.push(...(found?.problems ?? []));
    return {
      directory: wal,
      isSound: isWhole && problems.length === 0,
      damage: this.#damage,
      torn: this.#torn,
      behind: this.#behind,
      segments: this.#segments,
      extent: check.extent,
      hardState: check.hardState,
      snapshots: found?.snapshots,
      problems,
    };
  }

  async #readSegment(segment: SegmentName, isLast: boolean): Promise<void> {
    const { name } = segment;
    const file = await this.#fs.open(join(this.#place.wal, name), { read: true });
    const progress: SegmentProgress = { name, records: 0, last: 0, offset: 0 };
    try {
      let end: WalEnd | undefined;
      try {
        end = await this.#readRecords(segment, progress);
      } catch (error) {
        if (error instanceof WalError) progress.offset = error.offset ?? progress.offset;
        else if (!(error instanceof Contradiction)) throw error;
        this.#damage = siteOf(progress, withoutPlace(error.message));
      }
      this.#segments.push({ name, records: progress.records, usedBytes: progress.offset });
      if (end === undefined) this.#behind = await scanBehind(file, name, progress.offset);
      else await this.#checkEnd(file, end, progress, isLast);
    } finally {
      await file.close();
    }
  }

  async #readRecords(segment: SegmentName, progress: SegmentProgress): Promise<WalEnd> {
    const visit = ({ type, crc, data }: RecordFields, { offset }: RecordPosition): void => {
      progress.offset = offset;
      if (progress.records === 0) this.#checkChain(type, crc);
      this.#check.take({ type, crc, data }, progress.records);
      progress.records += 1;
      progress.last = offset;
    };
    const end = await readRecords(this.#fs, this.#place.wal, [segment], visit);
    this.#crc = end.crc;
    progress.offset = end.offset;
    return end;
  }

  /** A segment begins with the running CRC of the one before. */
  #checkChain(type: number, crc: number): void {
    if (type !== RecordType.Crc || this.#crc === 0 || crc === this.#crc) return;
    throw new Contradiction(
      'walpb: crc mismatch: records at the end of the file before are missing',
    );
  }

  /**
   * Trap: a length field that is all zeros ends a segment, so that one flipped bit can hide what
   * follows. Only the last segment has an unused tail, and that is zeros.
   */
  async #checkEnd(
    file: FileHandle,
    { torn }: WalEnd,
    progress: SegmentProgress,
    isLast: boolean,
  ): Promise<void> {
    const { name, offset } = progress;
    if (torn === undefined) {
      if (await isZeroFrom(file, offset)) return;
      // What ended the segment is zeros no longer: a running member has written on meanwhile.
      const ended = await file.read(offset, LENGTH_FIELD_BYTES);
      if (ended.some((byte) => byte !== 0)) return;
    }
    const site = siteOf(progress, torn?.message ?? 'what lies behind the end is not zero');
    this.#behind = await scanBehind(file, name, site.offset);
    if (isLast && this.#behind === undefined) this.#torn = site;
    else this.#damage = site;
  }
}

/** How far the reading of a segment came. */
interface SegmentProgress {
  readonly name: string;
  /** Records that are right. */
  records: number;
  /** Where the last of them begins, bytes. */
  last: number;
  /** Where reading stands, bytes. */
  offset: number;
}

/**
 * Trap: the CRC of a record does not cover its length field. A wrong padding in there shows only in
 * that what follows does not begin where a record can.
 */
function siteOf({ name, records, last, offset }: SegmentProgress, reason: string): LogDamage {
  if (offset % FRAME_ALIGNMENT === 0) return { file: name, offset, record: records + 1, reason };
  return { file: name, offset: last, record: records, reason: `wrong padding: ${reason}` };
}

/** etcd's text of a fault may end with its place, which is told beside it. */
function withoutPlace(message: string): string {
  return message.replace(/: in file '[^']*' at position: \d+$/, '');
}

async function isZeroFrom(file: FileHandle, offset: number): Promise<boolean> {
  for (let at = offset; ; ) {
    const chunk = await file.read(at, CHUNK_BYTES);
    if (chunk.length === 0) return true;
    if (!chunk.every((byte) => byte === 0)) return false;
    at += chunk.length;
  }
}

function commitProblems({ hardState, lastIndex }: LogCheck): string[] {
  const { commit } = hardState === EMPTY_HARD_STATE ? { commit: 0 } : hardState;
  if (commit <= lastIndex) return [];
  return [`entries up to ${commit} are committed, but the log ends at ${lastIndex}`];
}
