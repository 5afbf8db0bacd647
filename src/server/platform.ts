import { join } from 'node:path';
import type { Logger } from '../base/logger.js';
import { bcryptPasswordHasher } from '../platform/bcrypt-password-hasher.js';
import type { Clock } from '../platform/clock.js';
import { acquireDirectoryLock, DirectoryLockedError } from '../platform/directory-lock.js';
import type { Fs } from '../platform/fs.js';
import { isFileLocked } from '../platform/kernel-locks.js';
import { MemoryFs } from '../platform/memory-fs.js';
import { nodeClock } from '../platform/node-clock.js';
import { nodeFs } from '../platform/node-fs.js';
import { nodeRandom } from '../platform/node-random.js';
import type { PasswordHasher } from '../platform/password-hasher.js';
import type { Random } from '../platform/random.js';
import { workerProgram } from '../platform/worker-program.js';
import type { Backend } from '../storage/backend/backend.js';
import type { LmdbBackendMetrics } from '../storage/backend/lmdb.js';
import { MemoryBackend } from '../storage/backend/memory.js';

/** Time between two lines about the progress of a check, ms. */
const PROGRESS_MILLIS = 2000;

export interface BackendRequest {
  /** The snap directory of the member; it exists. */
  readonly directory: string;
  /** Longest time between commits, ms. */
  readonly batchIntervalMillis: number;
  /** Operations that make a commit due. */
  readonly batchLimit: number;
  readonly unsafeNoFsync: boolean;
  readonly metrics: LmdbBackendMetrics;
  readonly logger: Logger;
  readonly onFatal: (error: unknown) => void;
}

/** What a server runs on: the machine, or something that pretends to be one. */
export interface ServerPlatform {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly random: Random;
  readonly passwordHasher: PasswordHasher;
  /** Reads a file that a flag names, whole. Always the machine's own. */
  readonly readConfigFile: (path: string) => Promise<Buffer>;
  /** Finds the program of a worker thread; undefined: all runs on one thread. */
  readonly workerProgram: (path: string) => URL | undefined;
  readonly openBackend: (request: BackendRequest) => Promise<Backend>;
  /**
   * Takes the directory of a member for this process; call the result to give it up.
   * @throws DirectoryLockedError
   */
  readonly lockDirectory: (directory: string) => Promise<() => Promise<void>>;
}

async function readConfigFile(path: string): Promise<Buffer> {
  const file = await nodeFs.open(path, { read: true });
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}

/** Says now and then how far the check of a large database has come. */
function checkProgress({ directory, logger }: BackendRequest) {
  let told = nodeClock.monotonicMillis();
  return (read: number, total: number): void => {
    const now = nodeClock.monotonicMillis();
    if (now - told < PROGRESS_MILLIS) return;
    told = now;
    const progress = `${Math.floor((100 * read) / total)}%`;
    logger.info('checking the database', { directory, bytes: total, progress });
  };
}

/** The machine that this process runs on. */
export const nodePlatform: ServerPlatform = {
  fs: nodeFs,
  clock: nodeClock,
  random: nodeRandom,
  passwordHasher: bcryptPasswordHasher,
  readConfigFile,
  workerProgram,
  async openBackend(request) {
    const { LmdbBackend } = await import('../storage/backend/lmdb.js');
    // LMDB trusts what it maps: a damaged page would end the process without a word.
    return LmdbBackend.open({
      checkWholeFile: true,
      onCheckProgress: checkProgress(request),
      directory: request.directory,
      clock: nodeClock,
      noSync: request.unsafeNoFsync,
      batchIntervalMillis: request.batchIntervalMillis,
      batchLimit: request.batchLimit,
      metrics: request.metrics,
      onFatal: request.onFatal,
    });
  },
  async lockDirectory(directory) {
    // A real etcd knows nothing of our locks, but has its database locked in its own way.
    if (await isFileLocked(join(directory, 'snap', 'db'))) {
      throw new DirectoryLockedError(directory);
    }
    const lock = await acquireDirectoryLock(directory);
    return () => lock.release();
  },
};

/** A machine whose disk is this process's memory: everything is gone with it. */
export function memoryPlatform(): ServerPlatform {
  return {
    fs: new MemoryFs({ tracked: false }),
    clock: nodeClock,
    random: nodeRandom,
    passwordHasher: bcryptPasswordHasher,
    readConfigFile,
    // A thread would not see this disk.
    workerProgram: () => undefined,
    openBackend: async ({ batchIntervalMillis, batchLimit }) =>
      new MemoryBackend({ clock: nodeClock, batchIntervalMillis, batchLimit }),
    lockDirectory: async () => async () => {},
  };
}
