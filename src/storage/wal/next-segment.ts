import { join } from 'node:path';
import type { FileHandle, Fs } from '../../platform/fs.js';

export interface PreparedSegment {
  readonly file: FileHandle;
  /** Path of the file under its passing name. */
  readonly path: string;
}

export interface NextSegmentOptions {
  readonly segmentBytes: number;
  readonly durableWrites: boolean;
}

/**
 * Keeps one empty segment ready in the background, as `0.tmp` and `1.tmp` in turn, so that a cut
 * need not wait for it (reference: formats 1.2).
 *
 * The file is extended without allocating blocks: filling it with zeros made 300-byte appends no
 * faster and costs every byte of the log twice. What that gives up is to learn of a full disk at
 * the cut instead of at a write.
 */
export class NextSegment {
  readonly #fs: Fs;
  readonly #directory: string;
  readonly #options: NextSegmentOptions;
  #count = 0;
  #pending: Promise<PreparedSegment> | undefined;

  constructor(fs: Fs, directory: string, options: NextSegmentOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#options = options;
  }

  /** Begins to make a segment ready, if none is. A failure is reported by {@link take}. */
  prepare(): void {
    if (this.#pending !== undefined) return;
    this.#pending = this.#make(`${this.#count++ % 2}.tmp`);
    this.#pending.catch(() => {});
  }

  /** The segment that was made ready; its owner renames and closes it. */
  async take(): Promise<PreparedSegment> {
    this.prepare();
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) throw new Error('no segment is being prepared');
    return pending;
  }

  /** Removes the segment that nobody took; if it could not be made there is nothing to remove. */
  async discard(): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    const prepared = await pending?.catch(() => undefined);
    if (prepared === undefined) return;
    await prepared.file.close();
    await this.#fs.remove(prepared.path);
  }

  /**
   * Trap: a crash between the head of a new segment and its renaming leaves a `.tmp` with a head
   * in it, so what is found is cut to nothing first; etcd does not.
   */
  async #make(name: string): Promise<PreparedSegment> {
    const path = join(this.#directory, name);
    const file = await this.#fs.open(path, {
      write: true,
      create: true,
      truncate: true,
      durableWrites: this.#options.durableWrites,
    });
    try {
      await file.truncate(this.#options.segmentBytes);
    } catch (error) {
      await file.close();
      throw error;
    }
    return { file, path };
  }
}
