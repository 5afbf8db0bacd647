/** Options of {@link Fs.open}. */
export interface OpenOptions {
  readonly read?: boolean;
  readonly write?: boolean;
  /** Create the file if it is absent. */
  readonly create?: boolean;
  /** Fail with EEXIST if the file is present. Implies `create`. */
  readonly exclusive?: boolean;
  /** Cut an existing file to length 0. */
  readonly truncate?: boolean;
  /**
   * Every `write` is durable (data and length, as after `datasync`) once it resolves, for the price
   * of one trip to the disk instead of two.
   */
  readonly durableWrites?: boolean;
  /** Permission bits of a created file, before the umask; default 0o600. */
  readonly mode?: number;
}

/** What {@link Fs.stat} tells of a path. */
export interface FileStat {
  /** Length in bytes. */
  readonly size: number;
  readonly isDirectory: boolean;
  /** Permission bits. */
  readonly mode: number;
}

/** Options of {@link FileHandle.write}. */
export interface WriteOptions {
  /**
   * Whether a short durable write to a disk that proved fast may hold up this thread: nothing else
   * could go on meanwhile. Default false.
   */
  readonly mayBlock?: boolean;
}

/** An open file. Offsets and lengths are bytes. All methods reject with a Node `ErrnoException`. */
export interface FileHandle {
  readonly path: string;
  /** Reads up to `length` bytes at `position`; the result is shorter only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  /**
   * Writes all the bytes of `buffers`, one after another, from `position`. Not durable until a sync,
   * unless the file was opened with `durableWrites`. After an error any part may have been written.
   */
  write(buffers: readonly Uint8Array[], position: number, options?: WriteOptions): Promise<void>;
  /** Makes the data (and the length) durable: fdatasync. */
  datasync(): Promise<void>;
  /** Makes data and metadata durable: fsync. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * The file system, passed in so that the simulator can be the disk.
 * Every method rejects with a Node `ErrnoException` (`code` ENOENT, EEXIST, ENOSPC, EACCES, ...).
 */
export interface Fs {
  open(path: string, options: OpenOptions): Promise<FileHandle>;
  /** Names in a directory, sorted bytewise. */
  readDirectory(path: string): Promise<string[]>;
  makeDirectory(path: string, options?: { recursive?: boolean; mode?: number }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Removes a directory with all that is in it; an absent one is not an error. */
  removeTree(path: string): Promise<void>;
  /** Undefined if the path is absent. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Makes the entries of a directory (creations, renames, removals) durable. */
  syncDirectory(path: string): Promise<void>;
}
