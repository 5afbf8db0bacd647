import * as fs from 'node:fs';
import * as fsPromises from 'node:fs/promises';
import { isErrno } from './errno.js';
import type { FileHandle, FileStat, Fs, OpenOptions, WriteOptions } from './fs.js';
import { WritePace } from './write-pace.js';

const DEFAULT_FILE_MODE = 0o600;
const PERMISSION_BITS = 0o7777;

/**
 * O_DSYNC saves a trip through the thread pool: a tenth to a third more 300-byte appends than write
 * and fdatasync. Only Linux is known to flush the drive's cache for it.
 */
const HAS_DURABLE_WRITES = process.platform === 'linux' && fs.constants.O_DSYNC !== undefined;
/** Longer ones are of many requests, whose successors can be worked at while the disk writes. */
const MAX_DIRECT_BYTES = 4096;

/** The file system of the machine. Files are raw descriptors, to keep the path to the disk short. */
export const nodeFs: Fs = {
  async open(path, options) {
    const descriptor = await openDescriptor(path, options);
    if (options.durableWrites !== true) return new NodeFileHandle(path, descriptor, false);
    return HAS_DURABLE_WRITES
      ? new DurableFileHandle(path, descriptor)
      : new NodeFileHandle(path, descriptor, true);
  },

  async readDirectory(path) {
    const names = await fsPromises.readdir(path, { encoding: 'buffer' });
    return names.sort(Buffer.compare).map((name) => name.toString('utf8'));
  },

  async makeDirectory(path, options = {}) {
    await fsPromises.mkdir(path, options);
  },

  rename: (from, to) => fsPromises.rename(from, to),
  remove: (path) => fsPromises.unlink(path),
  removeTree: (path) => fsPromises.rm(path, { recursive: true, force: true }),

  async stat(path) {
    try {
      return fileStat(await fsPromises.stat(path));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  },

  async syncDirectory(path) {
    const directory = await fsPromises.open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
};

class NodeFileHandle implements FileHandle {
  readonly path: string;
  readonly #descriptor: number;
  readonly #syncAfterWrite: boolean;

  constructor(path: string, descriptor: number, syncAfterWrite: boolean) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#syncAfterWrite = syncAfterWrite;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const count = await this.#readSome(buffer, filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const done: Done = (error) => (error ? reject(error) : resolve());
      const written: Done = (error) =>
        error ? reject(error) : fs.fdatasync(this.#descriptor, done);
      writeAll(this.#descriptor, buffers, position, this.#syncAfterWrite ? written : done);
    });
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fsync(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  truncate(length: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.#descriptor, length, (error) => (error ? reject(error) : resolve()));
    });
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => (error ? reject(error) : resolve(stats.size)));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  #readSome(buffer: Buffer, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#descriptor, buffer, offset, buffer.length - offset, position, (error, count) =>
        error ? reject(error) : resolve(count),
      );
    });
  }
}

/**
 * A file whose writes are durable. Those that may block go to a fast disk from this thread: the way
 * to another one and back takes two wake-ups, more than the disk does, and where processors are
 * scarce each of them waits for its turn. A disk that turns slow stalls this thread for a few
 * writes at most ({@link WritePace}).
 */
class DurableFileHandle extends NodeFileHandle {
  readonly #descriptor: number;
  readonly #pace = new WritePace();

  constructor(path: string, descriptor: number) {
    super(path, descriptor, false);
    this.#descriptor = descriptor;
  }

  override async write(
    buffers: readonly Uint8Array[],
    position: number,
    { mayBlock = false }: WriteOptions = {},
  ): Promise<void> {
    const [first] = buffers;
    const isShort = buffers.length === 1 && first !== undefined && first.length <= MAX_DIRECT_BYTES;
    const started = performance.now();
    if (mayBlock && isShort && this.#pace.isFast) {
      const written = fs.writeSync(this.#descriptor, first, 0, first.length, position);
      if (written < first.length) await super.write([first.subarray(written)], position + written);
    } else {
      await super.write(buffers, position);
    }
    this.#pace.note(performance.now() - started);
  }
}

/** writev takes at most IOV_MAX buffers; this is its value on Linux. */
const MAX_VECTORS = 1024;

type Done = (error: NodeJS.ErrnoException | null) => void;

/** Writes all the buffers; the system may take fewer bytes than asked, then it is asked again. */
function writeAll(
  descriptor: number,
  buffers: readonly Uint8Array[],
  position: number,
  done: Done,
): void {
  const first = buffers[0];
  if (first === undefined) {
    done(null);
  } else if (buffers.length === 1) {
    fs.write(descriptor, first, 0, first.length, position, (error, written) => {
      if (error) done(error);
      else if (written === first.length) done(null);
      else writeAll(descriptor, [first.subarray(written)], position + written, done);
    });
  } else {
    const batch = buffers.slice(0, MAX_VECTORS);
    fs.writev(descriptor, batch, position, (error, written) => {
      if (error) done(error);
      else writeAll(descriptor, dropBytes(buffers, written), position + written, done);
    });
  }
}

/** What remains of `buffers` after their first `count` bytes. */
function dropBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let drop = count;
  for (const buffer of buffers) {
    if (drop >= buffer.length) drop -= buffer.length;
    else {
      rest.push(drop === 0 ? buffer : buffer.subarray(drop));
      drop = 0;
    }
  }
  return rest;
}

function openDescriptor(path: string, options: OpenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, openFlags(options), options.mode ?? DEFAULT_FILE_MODE, (error, descriptor) =>
      error ? reject(error) : resolve(descriptor),
    );
  });
}

function openFlags(options: OpenOptions): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC } = fs.constants;
  let flags = options.write ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (options.create || options.exclusive) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.durableWrites && HAS_DURABLE_WRITES) flags |= fs.constants.O_DSYNC;
  if (options.truncate) flags |= O_TRUNC;
  return flags;
}

function fileStat(stats: fs.Stats): FileStat {
  return {
    size: stats.size,
    isDirectory: stats.isDirectory(),
    mode: stats.mode & PERMISSION_BITS,
  };
}
