import { createHash } from 'node:crypto';
import { ExportError } from '../../../src/offline/export/export-error.js';
import { SnapshotLoadError } from '../../../src/offline/logs/open-log.js';
import { RestoreError } from '../../../src/offline/restore/restore-target.js';
import { DatabaseRowError } from '../../../src/offline/row-error.js';
import { SnapshotChecksumError } from '../../../src/offline/snapshot-checksum.js';
import type { DamageSite } from '../../../src/offline/verify-file.js';
import { DataDirectoryError } from '../../../src/server/bootstrap/directories.js';
import { VersionError } from '../../../src/server/bootstrap/version-rules.js';
import { BackendOpenError } from '../../../src/storage/backend/backend.js';
import { LmdbFileError } from '../../../src/storage/backend/lmdb-page.js';
import { BboltError } from '../../../src/storage/bbolt/bbolt-error.js';
import { SnapError } from '../../../src/storage/snap/snap-error.js';
import { WalError } from '../../../src/storage/wal/wal-error.js';

/** What an operation said of a file. */
export type Answer =
  | { readonly text: string }
  /** A typed error that says what is wrong where. */
  | { readonly error: string; readonly message: string }
  /** What must never come: an error of another kind. */
  | { readonly fault: unknown };

/** What a verdict says is wrong, as an error. */
export class DatabaseDamageFound extends Error {
  readonly file: string;
  readonly damage: DamageSite;

  constructor(file: string, damage: DamageSite) {
    super(damage.reason);
    this.file = file;
    this.damage = damage;
  }
}

/** Longer than any operation on these small files may take, ms. */
export const MOST_MILLIS = 5000;

/** @param most longer than it may take, ms */
export async function answerOf(work: () => Promise<unknown>, most = MOST_MILLIS): Promise<Answer> {
  const started = performance.now();
  try {
    const text = textOf(await work());
    const millis = performance.now() - started;
    return millis > most ? { fault: new Error(`it took ${millis} ms`) } : { text };
  } catch (error) {
    const kind = kindOf(error);
    return kind === undefined ? { fault: error } : { error: kind, message: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof SnapshotLoadError ? `${error.path}: ${error.message}` : String(error);
}

/** The kind of an error that names file, place and reason; undefined of any other. */
function kindOf(error: unknown): string | undefined {
  if (error instanceof BboltError || error instanceof LmdbFileError) {
    return isPlace(error) && error.reason !== '' ? error.name : undefined;
  }
  if (error instanceof DatabaseDamageFound) {
    const { offset, reason } = error.damage;
    return offset !== undefined || reason.includes('sha256') ? 'damage found' : undefined;
  }
  if (error instanceof DatabaseRowError) return isPlace(error) ? error.name : undefined;
  // The hash at the end is that of the whole file, as is the one of a `.snap` file.
  if (error instanceof SnapshotChecksumError) return error.name;
  if (error instanceof RestoreError) return `${error.name}: ${error.message.slice(0, 21)}`;
  if (error instanceof ExportError) return error.name;
  if (error instanceof DataDirectoryError) {
    return error.message.includes('/') ? error.name : undefined;
  }
  if (error instanceof SnapError) return error.file === undefined ? undefined : error.name;
  if (error instanceof SnapshotLoadError) return kindOf(error.cause);
  if (error instanceof VersionError) return error.name;
  if (error instanceof WalError) return error.fault;
  if (error instanceof BackendOpenError) return kindOf(error.cause) ?? error.name;
  return undefined;
}

function isPlace({ file, offset }: { file: string; offset: number | undefined }): boolean {
  return file !== '' && offset !== undefined && Number.isSafeInteger(offset) && offset >= 0;
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (part instanceof Map || part instanceof Set) return [...part];
    return part;
  });
}

/** Stands for many bytes. */
export class Digest {
  readonly #hash = createHash('sha1');

  add(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts) this.#hash.update(`${part.length}:`).update(part);
  }

  toString(): string {
    return this.#hash.digest('hex');
  }
}
