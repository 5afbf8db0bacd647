import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from './errno.js';
import { LOCKS_FILE, nameInLocks } from './kernel-locks.js';

/** Somebody else holds the lock of a file, or nobody can tell. */
export class FileLockError extends Error {
  override readonly name = 'FileLockError';
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.path = path;
  }
}

export interface FileLock {
  release(): Promise<void>;
}

const RETRY_MILLIS = 50;
/** flock(1) ends with this if somebody else has the lock. */
const CONFLICT_EXIT_CODE = 1;
/** What its child prints once the lock is held. */
const HELD = 'held\n';
/** open(2) of the BSDs and macOS: take an exclusive lock at once, or fail. */
const O_EXLOCK = 0x20;
const O_NONBLOCK = 0x04;

/**
 * Takes the exclusive lock of a file as flock(2) does, which is what bbolt takes while a database is
 * open: whoever holds it keeps an etcd away, and the other way round. Node has no binding for it.
 * The BSDs and macOS lock with open(2); elsewhere the program `flock` holds the lock for us. Without
 * it, Linux at least tells who holds one; a server that starts meanwhile is then not kept away.
 *
 * @param timeoutMillis how long to wait for another holder; 0: for ever
 * @throws FileLockError
 */
export async function lockFile(path: string, timeoutMillis: number): Promise<FileLock> {
  const deadline =
    timeoutMillis === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMillis;
  for (;;) {
    const lock = await tryLock(path);
    if (lock !== undefined) return lock;
    if (performance.now() >= deadline) {
      throw new FileLockError(path, 'it is locked: another process has it open (a running etcd?)');
    }
    await sleep(RETRY_MILLIS);
  }
}

/** Undefined if somebody else holds it. */
async function tryLock(path: string): Promise<FileLock | undefined> {
  if (process.platform === 'darwin' || process.platform === 'freebsd') return lockByOpen(path);
  const lock = await lockByProgram(path);
  if (lock !== 'no program') return lock;
  return (await isLockedByProc(path)) ? undefined : { release: async () => {} };
}

async function lockByOpen(path: string): Promise<FileLock | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | O_EXLOCK | O_NONBLOCK);
    return { release: () => file.close() };
  } catch (error) {
    if (isErrno(error, 'EAGAIN', 'EWOULDBLOCK')) return undefined;
    throw error;
  }
}

/** The child of flock(1) lives, and so the lock, until its stdin ends: also if we die. */
async function lockByProgram(path: string): Promise<FileLock | 'no program' | undefined> {
  const script = 'echo held; exec cat';
  const child = spawn('flock', ['-n', '-x', path, 'sh', '-c', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = new Promise<number | 'no program'>((done) => {
    child.once('error', () => done('no program'));
    child.once('close', (code) => done(code ?? -1));
  });
  child.stdin.on('error', () => child.stdin.destroy());
  const outcome = await Promise.race([heldBy(child), exited]);
  if (outcome === 'held') {
    return {
      async release() {
        child.stdin.end();
        await exited;
      },
    };
  }
  if (outcome === 'no program') return 'no program';
  if (outcome === CONFLICT_EXIT_CODE) return undefined;
  throw new FileLockError(path, `its lock can't be taken: flock ended with ${outcome}`);
}

function heldBy(child: ChildProcess): Promise<'held'> {
  return new Promise((done) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1');
      if (output.startsWith(HELD)) done('held');
    });
  });
}

/** Trap: only holders in our own process namespace are listed. */
async function isLockedByProc(path: string): Promise<boolean> {
  const name = await nameInLocks(path);
  const locks = await readFile(LOCKS_FILE, 'latin1').catch((error: unknown) => {
    const reason = `nobody can tell whether it is locked: neither flock nor ${LOCKS_FILE} (${error})`;
    throw new FileLockError(path, reason);
  });
  return locks.includes(` ${name} `);
}
