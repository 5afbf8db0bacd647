import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { FileHandle, Fs } from '../../platform/fs.js';
import type { LogRotation } from '../config/log-rotation.js';

const BYTES_PER_MEGABYTE = 1024 * 1024;
const MILLIS_PER_DAY = 24 * 3600 * 1000;
/** How much of a file is read and compressed at a time, bytes. */
const COMPRESS_CHUNK_BYTES = 1024 * 1024;
const NEW_LINE = 0x0a;

const compress = promisify(gzip);

export interface RotatingFileOptions {
  readonly fs: Fs;
  readonly clock: Pick<Clock, 'wallMillis'>;
  readonly path: string;
  readonly rotation: LogRotation | undefined;
  /** Permission bits of a file that is made. */
  readonly mode: number;
  /** Where it is told that old files could not be compressed or removed. */
  readonly logger: Logger;
}

/**
 * A file of lines, opened for append and optionally rotated by size (reference: server 3.2). One
 * {@link append} at a time.
 */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #handle: FileHandle;

  private constructor(options: RotatingFileOptions, handle: FileHandle) {
    this.#options = options;
    this.#handle = handle;
  }

  /** @throws ErrnoException if the file cannot be opened */
  static async open(options: RotatingFileOptions): Promise<RotatingFile> {
    return new RotatingFile(options, await openForAppend(options));
  }

  /** Ends a line that a crash left half written, so that the next one begins where it should. */
  async finishLine(): Promise<void> {
    const size = await this.#handle.size();
    if (size === 0) return;
    const [last] = await this.#handle.read(size - 1, 1);
    if (last !== NEW_LINE) await this.#handle.write([Buffer.of(NEW_LINE)], size);
  }

  /**
   * Writes lines from position `from` on: at least one, and as many as fit into one file.
   * @returns the position of the first line that is not written
   * @throws ErrnoException; then none of the lines counts as written, and they may be tried again
   */
  async append(lines: readonly string[], from: number): Promise<number> {
    // The end is asked for each time: the file may have been cut by a tool that rotates it.
    let size = await this.#handle.size();
    if (this.#options.rotation === undefined) {
      await this.#write(Buffer.from((from === 0 ? lines : lines.slice(from)).join('')), size);
      return lines.length;
    }
    const limit = this.#options.rotation.maxSizeMegabytes * BYTES_PER_MEGABYTE;
    let next = from;
    let end = size;
    for (; next < lines.length; next++) {
      const length = Buffer.byteLength(lines[next] ?? '');
      if (limit > 0 && end > 0 && end + length > limit) {
        if (next > from) break;
        await this.#rotate();
        size = 0;
        end = 0;
      }
      end += length;
    }
    const text = from === 0 && next === lines.length ? lines : lines.slice(from, next);
    await this.#write(Buffer.from(text.join('')), size);
    return next;
  }

  /**
   * As {@link append}, of text that consists of whole lines.
   * @returns bytes that are written, up to the end of a line
   */
  async appendText(text: Buffer): Promise<number> {
    let size = await this.#handle.size();
    let end = text.length;
    const limit = (this.#options.rotation?.maxSizeMegabytes ?? 0) * BYTES_PER_MEGABYTE;
    if (limit > 0 && size + end > limit) {
      end = endOfLines(text, limit - size);
      if (end === 0 && size > 0) {
        await this.#rotate();
        size = 0;
        end = endOfLines(text, limit);
      }
      // A line that is larger than a file has one of its own.
      if (end === 0) end = text.indexOf(NEW_LINE) + 1;
    }
    await this.#write(text.subarray(0, end), size);
    return end;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(text: Buffer, position: number): Promise<void> {
    try {
      await this.#handle.write([text], position);
    } catch (error) {
      // A disk that is full took a part of it, which a second attempt must not repeat.
      await this.#handle.truncate(position);
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    const { fs, path, clock, rotation, logger } = this.#options;
    if (rotation === undefined) return;
    let time = clock.wallMillis();
    let backup = backupPath(path, time, rotation.localTime);
    // Two files that fill up within a millisecond must not become one.
    while ((await fs.stat(backup)) !== undefined || (await fs.stat(`${backup}.gz`)) !== undefined) {
      time += 1;
      backup = backupPath(path, time, rotation.localTime);
    }
    // It may be away already: moved by somebody else, or by an attempt that got no further.
    if ((await fs.stat(path)) !== undefined) await fs.rename(path, backup);
    // The old file stays open until there is a new one: what fails here can be tried again.
    const old = this.#handle;
    this.#handle = await openForAppend(this.#options);
    try {
      await old.close();
      await this.#tidy(rotation);
    } catch (error) {
      logger.error('failed to tidy old log files', { path, error });
    }
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

function openForAppend({ fs, path, mode }: RotatingFileOptions): Promise<FileHandle> {
  return fs.open(path, { read: true, write: true, create: true, mode });
}

/** Where the last line ends of which all lies before `limit`; 0 if none does. */
function endOfLines(text: Buffer, limit: number): number {
  if (limit >= text.length) return text.length;
  return limit <= 0 ? 0 : text.lastIndexOf(NEW_LINE, limit - 1) + 1;
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
