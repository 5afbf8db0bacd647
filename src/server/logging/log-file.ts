import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { FileHandle, Fs } from '../../platform/fs.js';
import type { LogRotation } from '../config/log-rotation.js';

/** Text that may wait for the disk, in characters; what comes beyond it is lost and counted. */
const MAX_QUEUED_CHARACTERS = 8 * 1024 * 1024;

const BYTES_PER_MEGABYTE = 1024 * 1024;
const MILLIS_PER_DAY = 24 * 3600 * 1000;
/** How much of a file is read and compressed at a time, bytes. */
const COMPRESS_CHUNK_BYTES = 1024 * 1024;

const compress = promisify(gzip);

export interface LogFileOptions {
  readonly fs: Fs;
  readonly clock: Pick<Clock, 'wallMillis'>;
  readonly path: string;
  readonly rotation: LogRotation | undefined;
  /** Where it is told that lines are lost. */
  readonly logger: Logger;
}

/**
 * A log file, opened for append and optionally rotated by size (reference: server 3.2). Lines are
 * written in order and in the background, as many at once as have come together.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  #handle: FileHandle;
  #queue: string[] = [];
  #queuedCharacters = 0;
  #lostLines = 0;
  #draining: Promise<void> | undefined;

  private constructor(options: LogFileOptions, handle: FileHandle) {
    this.#options = options;
    this.#handle = handle;
  }

  /** @throws ErrnoException if the file cannot be opened */
  static async open(options: LogFileOptions): Promise<LogFile> {
    return new LogFile(options, await openForAppend(options));
  }

  /** Takes a line. Never throws and never waits. */
  write(line: string): void {
    if (this.#queuedCharacters + line.length > MAX_QUEUED_CHARACTERS) {
      this.#lostLines += 1;
      return;
    }
    this.#queue.push(line);
    this.#queuedCharacters += line.length;
    this.#draining ??= this.#drain();
  }

  /** Writes what is queued and closes the file. */
  async close(): Promise<void> {
    await this.#draining;
    await this.#handle.close();
  }

  async #drain(): Promise<void> {
    // Lines of the same turn go together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const lines = this.#queue;
      this.#queue = [];
      this.#queuedCharacters = 0;
      try {
        await this.#append(lines);
      } catch (error) {
        this.#lostLines += lines.length;
        const { logger, path } = this.#options;
        logger.error('failed to write to log file', { path, error });
      }
    }
    this.#draining = undefined;
    if (this.#lostLines > 0) {
      const { logger, path } = this.#options;
      logger.error('lines of the log file are lost', { path, lines: this.#lostLines });
      this.#lostLines = 0;
    }
  }

  async #append(lines: readonly string[]): Promise<void> {
    // The end is asked for each time: the file may have been cut by a tool that rotates it.
    let size = await this.#handle.size();
    const limit = (this.#options.rotation?.maxSizeMegabytes ?? 0) * BYTES_PER_MEGABYTE;
    let batch: Buffer[] = [];
    let batchBytes = 0;
    for (const line of lines) {
      const bytes = Buffer.from(line);
      if (limit > 0 && size + batchBytes + bytes.length > limit && size + batchBytes > 0) {
        await this.#handle.write(batch, size);
        await this.#rotate();
        size = 0;
        batch = [];
        batchBytes = 0;
      }
      batch.push(bytes);
      batchBytes += bytes.length;
    }
    await this.#handle.write(batch, size);
  }

  async #rotate(): Promise<void> {
    const { fs, path, clock, rotation } = this.#options;
    if (rotation === undefined) return;
    await this.#handle.close();
    let time = clock.wallMillis();
    let backup = backupPath(path, time, rotation.localTime);
    // Two files that fill up within a millisecond must not become one.
    while ((await fs.stat(backup)) !== undefined || (await fs.stat(`${backup}.gz`)) !== undefined) {
      time += 1;
      backup = backupPath(path, time, rotation.localTime);
    }
    await fs.rename(path, backup);
    this.#handle = await openForAppend(this.#options);
    await this.#tidy(rotation);
  }

  /** Compresses old files and removes those that are too many or too old. */
  async #tidy(rotation: LogRotation): Promise<void> {
    const { fs, path, clock } = this.#options;
    const { directory, stem, extension } = splitPath(path);
    const oldest = clock.wallMillis() - rotation.maxAgeDays * MILLIS_PER_DAY;
    const backups = (await fs.readDirectory(directory))
      .map((name) => ({ name, time: backupTime(name, stem, extension, rotation.localTime) }))
      .filter((backup) => backup.time !== undefined)
      .sort((a, b) => (a.name < b.name ? 1 : -1));
    for (const [index, { name, time = 0 }] of backups.entries()) {
      const tooMany = rotation.maxBackups > 0 && index >= rotation.maxBackups;
      const tooOld = rotation.maxAgeDays > 0 && time < oldest;
      const backup = join(directory, name);
      if (tooMany || tooOld) await fs.remove(backup);
      else if (rotation.compress && !name.endsWith('.gz')) await compressFile(fs, backup);
    }
  }
}

function openForAppend({ fs, path, rotation }: LogFileOptions): Promise<FileHandle> {
  const mode = rotation === undefined ? 0o644 : 0o600;
  return fs.open(path, { read: true, write: true, create: true, mode });
}

interface PathParts {
  readonly directory: string;
  readonly stem: string;
  readonly extension: string;
}

function splitPath(path: string): PathParts {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  const dot = name.lastIndexOf('.');
  return {
    directory: slash < 0 ? '.' : path.slice(0, slash) || '/',
    stem: dot < 0 ? name : name.slice(0, dot),
    extension: dot < 0 ? '' : name.slice(dot),
  };
}

function join(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** `name-2006-01-02T15-04-05.000.ext` */
function backupPath(path: string, timeMillis: number, localTime: boolean): string {
  const { directory, stem, extension } = splitPath(path);
  const shift = localTime ? new Date(timeMillis).getTimezoneOffset() * 60_000 : 0;
  const time = new Date(timeMillis - shift).toISOString().slice(0, 23).replaceAll(':', '-');
  return join(directory, `${stem}-${time}${extension}`);
}

/** When a file was rotated out, by its name; undefined: it is none of ours. */
function backupTime(
  name: string,
  stem: string,
  extension: string,
  localTime: boolean,
): number | undefined {
  const plain = name.endsWith('.gz') ? name.slice(0, -'.gz'.length) : name;
  if (!plain.startsWith(`${stem}-`) || !plain.endsWith(extension)) return undefined;
  const text = plain.slice(stem.length + 1, plain.length - extension.length);
  const match = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(text);
  if (match === null) return undefined;
  return Date.parse(`${match[1]}:${match[2]}:${match[3]}${localTime ? '' : 'Z'}`);
}

/** Replaces a file by its gzip form, chunk after chunk: gzip allows several members in a row. */
async function compressFile(fs: Fs, path: string): Promise<void> {
  const source = await fs.open(path, { read: true });
  const target = await fs.open(`${path}.gz`, { write: true, create: true, truncate: true });
  try {
    let written = 0;
    const size = await source.size();
    for (let position = 0; position < size; position += COMPRESS_CHUNK_BYTES) {
      const chunk = await compress(await source.read(position, COMPRESS_CHUNK_BYTES));
      await target.write([chunk], written);
      written += chunk.length;
    }
  } finally {
    await source.close();
    await target.close();
  }
  await fs.remove(path);
}
