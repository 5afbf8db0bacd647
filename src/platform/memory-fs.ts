import { posix } from 'node:path';
import { errnoError } from './errno.js';
import type { FileHandle, FileStat, Fs, OpenOptions } from './fs.js';
import { MemoryDirectory, type MemoryNode } from './memory-directory.js';
import { type CrashMode, MemoryFile, PAGE_SIZE } from './memory-file.js';
import type { Random } from './random.js';

export type { CrashMode } from './memory-file.js';

/** What {@link MemoryFs.failNext} can make fail, and what {@link MemoryFsOptions.pace} is told. */
export type FsOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'close'
  | 'readDirectory'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'stat'
  | 'syncDirectory';

export interface MemoryFsOptions {
  /**
   * False saves the memory and time of remembering what was not synced; such a disk survives no
   * power loss tests: {@link MemoryFs.crash} keeps everything. Default true.
   */
  readonly tracked?: boolean;
  /** Awaited before an operation takes effect, so that a simulator decides how long it lasts. */
  readonly pace?: (operation: FsOperation, path: string) => Promise<void>;
}

/** An error that is waiting for its operation. */
export interface InjectedError {
  readonly operation: FsOperation;
  /** `EIO`, `ENOSPC`, ... */
  readonly code: string;
  /** Operations to let pass first; default 0. */
  readonly skip?: number;
  /** Only paths that contain this text. */
  readonly pathContains?: string;
}

const DEFAULT_FILE_MODE = 0o600;
const DEFAULT_DIRECTORY_MODE = 0o777;

/**
 * A disk in memory that can lose power. Content becomes durable by syncing the file, names by
 * syncing their directory; a new directory by syncing its parent. Paths are POSIX and absolute
 * (a relative one counts from the root). Moving a file between directories is two changes here.
 */
export class MemoryFs implements Fs {
  readonly #options: MemoryFsOptions;
  readonly #tracked: boolean;
  #root: MemoryDirectory;
  #dead = false;
  #capacity = Number.POSITIVE_INFINITY;
  readonly #injected: { error: InjectedError; skip: number }[] = [];

  constructor(options: MemoryFsOptions = {}) {
    this.#options = options;
    this.#tracked = options.tracked ?? true;
    this.#root = new MemoryDirectory(DEFAULT_DIRECTORY_MODE, this.#tracked);
  }

  /**
   * Power loss: this file system and its open files fail with EIO from now on, and the result is
   * the disk as the next boot finds it.
   */
  crash(random: Random, mode: CrashMode): MemoryFs {
    this.#dead = true;
    const survivor = new MemoryFs(this.#options);
    survivor.#root = this.#root.afterCrash(random, mode);
    survivor.#capacity = this.#capacity;
    return survivor;
  }

  /** Makes the next matching operation fail, once, with a system error. */
  failNext(error: InjectedError): void {
    this.#injected.push({ error, skip: error.skip ?? 0 });
  }

  /** Writes that would need more than `bytes` beyond what is used now fail part way with ENOSPC. */
  limitSpace(bytes: number): void {
    this.#capacity = this.usedBytes() + bytes;
  }

  /** Bytes of memory that file contents take. */
  usedBytes(): number {
    return allocatedUnder(this.#root);
  }

  open(path: string, options: OpenOptions): Promise<FileHandle> {
    return this.perform('open', path, () => {
      const { directory, name } = this.#parentOf(path, 'open');
      let node = directory.entries.get(name);
      if (node instanceof MemoryDirectory) throw errnoError('EISDIR', 'open', path);
      if (node !== undefined && options.exclusive) throw errnoError('EEXIST', 'open', path);
      if (node === undefined) {
        if (!options.create && !options.exclusive) throw errnoError('ENOENT', 'open', path);
        node = new MemoryFile(options.mode ?? DEFAULT_FILE_MODE, this.#tracked);
        directory.change([[name, node]]);
      } else if (options.truncate) {
        node.truncate(0);
      }
      return new MemoryFileHandle(this, path, node, options);
    });
  }

  readDirectory(path: string): Promise<string[]> {
    return this.perform('readDirectory', path, () => {
      const names = [...this.#directory(path, 'scandir').entries.keys()];
      return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    });
  }

  makeDirectory(path: string, options: { recursive?: boolean; mode?: number } = {}): Promise<void> {
    return this.perform('makeDirectory', path, () => {
      const parts = partsOf(path);
      let directory = this.#root;
      for (const [depth, part] of parts.entries()) {
        const last = depth === parts.length - 1;
        const node = directory.entries.get(part);
        if (node instanceof MemoryFile)
          throw errnoError(last ? 'EEXIST' : 'ENOTDIR', 'mkdir', path);
        if (node !== undefined) {
          if (last && !options.recursive) throw errnoError('EEXIST', 'mkdir', path);
          directory = node;
          continue;
        }
        if (!last && !options.recursive) throw errnoError('ENOENT', 'mkdir', path);
        const made = new MemoryDirectory(options.mode ?? DEFAULT_DIRECTORY_MODE, this.#tracked);
        directory.change([[part, made]]);
        directory = made;
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.perform('rename', from, () => {
      const source = this.#parentOf(from, 'rename');
      const target = this.#parentOf(to, 'rename');
      const node = source.directory.entries.get(source.name);
      if (node === undefined) throw errnoError('ENOENT', 'rename', from);
      const replaced = target.directory.entries.get(target.name);
      if (replaced === node) return;
      if (replaced instanceof MemoryDirectory) {
        if (node instanceof MemoryFile) throw errnoError('EISDIR', 'rename', to);
        if (replaced.entries.size > 0) throw errnoError('ENOTEMPTY', 'rename', to);
      } else if (replaced !== undefined && node instanceof MemoryDirectory) {
        throw errnoError('ENOTDIR', 'rename', to);
      }
      if (source.directory === target.directory) {
        source.directory.change([
          [source.name, undefined],
          [target.name, node],
        ]);
      } else {
        target.directory.change([[target.name, node]]);
        source.directory.change([[source.name, undefined]]);
      }
    });
  }

  remove(path: string): Promise<void> {
    return this.perform('remove', path, () => {
      const { directory, name } = this.#parentOf(path, 'unlink');
      const node = directory.entries.get(name);
      if (node === undefined) throw errnoError('ENOENT', 'unlink', path);
      if (node instanceof MemoryDirectory) throw errnoError('EISDIR', 'unlink', path);
      directory.change([[name, undefined]]);
    });
  }

  removeTree(path: string): Promise<void> {
    return this.perform('remove', path, () => {
      if (this.#find(path) === undefined) return;
      const { directory, name } = this.#parentOf(path, 'rm');
      directory.change([[name, undefined]]);
    });
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.perform('stat', path, () => {
      const node = this.#find(path);
      if (node === undefined) return undefined;
      const isDirectory = node instanceof MemoryDirectory;
      return { size: isDirectory ? 0 : node.size, isDirectory, mode: node.mode };
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.perform('syncDirectory', path, () => {
      this.#directory(path, 'fsync').sync();
    });
  }

  /**
   * @internal Every operation goes through here: pace, then death, injected errors and the effect in
   * one step, so that no power loss falls between the check and the effect.
   */
  async perform<T>(operation: FsOperation, path: string, effect: () => T): Promise<T> {
    if (this.#options.pace !== undefined) await this.#options.pace(operation, path);
    if (this.#dead) throw errnoError('EIO', operation, path);
    this.#throwInjected(operation, path);
    return effect();
  }

  /** @internal Bytes that contents may still take. */
  freeBytes(): number {
    return this.#capacity === Number.POSITIVE_INFINITY
      ? this.#capacity
      : this.#capacity - this.usedBytes();
  }

  #throwInjected(operation: FsOperation, path: string): void {
    for (const [at, pending] of this.#injected.entries()) {
      const { error } = pending;
      if (error.operation !== operation || !path.includes(error.pathContains ?? '')) continue;
      if (pending.skip-- > 0) continue;
      this.#injected.splice(at, 1);
      throw errnoError(error.code, operation, path);
    }
  }

  #find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.#root;
    for (const part of partsOf(path)) {
      if (!(node instanceof MemoryDirectory)) return undefined;
      node = node.entries.get(part);
    }
    return node;
  }

  #directory(path: string, syscall: string): MemoryDirectory {
    const node = this.#find(path);
    if (node === undefined) throw errnoError('ENOENT', syscall, path);
    if (node instanceof MemoryFile) throw errnoError('ENOTDIR', syscall, path);
    return node;
  }

  #parentOf(path: string, syscall: string): { directory: MemoryDirectory; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw errnoError('EISDIR', syscall, path);
    return { directory: this.#directory(parts.join('/'), syscall), name };
  }
}

class MemoryFileHandle implements FileHandle {
  readonly path: string;
  readonly #fs: MemoryFs;
  readonly #file: MemoryFile;
  readonly #options: OpenOptions;
  #closed = false;

  constructor(fs: MemoryFs, path: string, file: MemoryFile, options: OpenOptions) {
    this.#fs = fs;
    this.path = path;
    this.#file = file;
    this.#options = options;
  }

  read(position: number, length: number): Promise<Buffer> {
    return this.#perform('read', () => {
      if (this.#options.write && !this.#options.read) throw errnoError('EBADF', 'read', this.path);
      return this.#file.read(position, length);
    });
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    await this.#perform('write', () => {
      if (!this.#options.write) throw errnoError('EBADF', 'write', this.path);
      let at = position;
      for (const bytes of buffers) {
        const room = this.#room(at, bytes.length);
        this.#file.write(at, bytes.subarray(0, room));
        if (room < bytes.length) throw errnoError('ENOSPC', 'write', this.path);
        at += bytes.length;
      }
    });
    if (this.#options.durableWrites) await this.datasync();
  }

  datasync(): Promise<void> {
    return this.#perform('sync', () => this.#file.sync());
  }

  sync(): Promise<void> {
    return this.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.#perform('truncate', () => {
      if (!this.#options.write) throw errnoError('EINVAL', 'ftruncate', this.path);
      this.#file.truncate(length);
    });
  }

  size(): Promise<number> {
    return this.#perform('stat', () => this.#file.size);
  }

  close(): Promise<void> {
    return this.#perform('close', () => {
      this.#closed = true;
    });
  }

  #perform<T>(operation: FsOperation, effect: () => T): Promise<T> {
    return this.#fs.perform(operation, this.path, () => {
      if (this.#closed) throw errnoError('EBADF', operation, this.path);
      return effect();
    });
  }

  /** How many of `length` bytes at `position` the disk has room for. */
  #room(position: number, length: number): number {
    let room = this.#fs.freeBytes();
    if (room >= this.#file.growth(position, position + length)) return length;
    let fits = 0;
    while (fits < length) {
      const next = Math.min(length, fits + PAGE_SIZE - ((position + fits) % PAGE_SIZE));
      const growth = this.#file.growth(position + fits, position + next);
      if (growth > room) break;
      room -= growth;
      fits = next;
    }
    return fits;
  }
}

function partsOf(path: string): string[] {
  return posix.normalize(`/${path}`).split('/').filter(Boolean);
}

function allocatedUnder(directory: MemoryDirectory): number {
  let bytes = 0;
  for (const node of directory.entries.values()) {
    bytes += node instanceof MemoryFile ? node.allocated : allocatedUnder(node);
  }
  return bytes;
}
