import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { LogRotation } from '../config/log-rotation.js';
import { RotatingFile } from './rotating-file.js';

/** Text that may wait for the disk, in characters; what comes beyond it is lost and counted. */
const MAX_QUEUED_CHARACTERS = 8 * 1024 * 1024;

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
  readonly #file: RotatingFile;
  #queue: string[] = [];
  #queuedCharacters = 0;
  #lostLines = 0;
  #draining: Promise<void> | undefined;

  private constructor(options: LogFileOptions, file: RotatingFile) {
    this.#options = options;
    this.#file = file;
  }

  /** @throws ErrnoException if the file cannot be opened */
  static async open(options: LogFileOptions): Promise<LogFile> {
    const mode = options.rotation === undefined ? 0o644 : 0o600;
    return new LogFile(options, await RotatingFile.open({ ...options, mode }));
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
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    // Lines of the same turn go together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const lines = this.#queue;
      this.#queue = [];
      this.#queuedCharacters = 0;
      let next = 0;
      try {
        while (next < lines.length) next = await this.#file.append(lines, next);
      } catch (error) {
        this.#lostLines += lines.length - next;
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
}
