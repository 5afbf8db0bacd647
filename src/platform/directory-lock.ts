import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from './errno.js';

/** Another process (or this one) holds the directory. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError';
  readonly directory: string;

  constructor(directory: string) {
    super(`directory is in use by another server: ${directory}`);
    this.directory = directory;
  }
}

export interface DirectoryLock {
  readonly directory: string;
  /** Gives the directory up; calling it again does nothing. */
  release(): Promise<void>;
}

const LOCK_NAME = /^etcdkit-[0-9a-f]{16}\.lock$/;
const BINDING_NAME = /^etcdkit-[0-9a-f]{16}\.bind$/;
/** A holder that does not answer in this time is alive (its socket took the call) but busy. */
const ANSWER_TIMEOUT_MILLIS = 2_000;
/** How long a contender waits for one of lower rank to give way. */
const CONTEST_TIMEOUT_MILLIS = 5_000;
const CONTEST_POLL_MILLIS = 10;
/** sun_path holds 104 bytes or more, with its terminator, on every system of ours. */
const MAX_SOCKET_PATH_BYTES = 103;

/**
 * Takes a directory for this process: a second taker gets a {@link DirectoryLockedError}. The
 * kernel gives it up when the process dies in any way.
 *
 * Node has no binding for file locks, so that a lock is a listening Unix socket
 * `etcdkit-<random>.lock` in the directory: alive exactly as long as its process. Each taker first
 * shows its own, then calls all the others; refused ones are dead, and as their names are never
 * used again, removing them cannot hit a live one. Of two takers the later one sees the earlier,
 * so that both cannot succeed; between two that are still asking, the lower name goes first.
 */
export async function acquireDirectoryLock(directory: string): Promise<DirectoryLock> {
  const path = resolve(directory);
  const handle = await fs.open(path, 'r');
  const sockets = new SocketDirectory(path, handle);
  try {
    const deadline = performance.now() + CONTEST_TIMEOUT_MILLIS;
    for (;;) {
      const lock = await contend(sockets, deadline);
      if (lock !== undefined) return lock;
    }
  } finally {
    await handle.close();
  }
}

/** `unclear` is a socket that went away, or was too busy, before it answered: ask again. */
type Answer = 'held' | 'contending' | 'unclear' | 'dead';

/** One try; undefined if our socket was swept away before it had its name, then try again. */
async function contend(
  sockets: SocketDirectory,
  deadline: number,
): Promise<DirectoryLock | undefined> {
  const candidate = await Candidate.show(sockets);
  if (candidate === undefined) return undefined;
  try {
    for (;;) {
      const names = await sockets.names(LOCK_NAME);
      const rivals = await liveRivals(sockets, names, candidate.name);
      const outranked = rivals.some(
        ({ name, answer }) =>
          answer === 'held' || (answer === 'contending' && name < candidate.name),
      );
      if (outranked || performance.now() > deadline) {
        throw new DirectoryLockedError(sockets.path);
      }
      if (rivals.length > 0) {
        await sleep(CONTEST_POLL_MILLIS);
        continue;
      }
      if (!names.includes(candidate.name)) {
        await candidate.close();
        return undefined;
      }
      await sweepBindings(sockets);
      return candidate.hold();
    }
  } catch (error) {
    await candidate.close();
    throw error;
  }
}

async function liveRivals(
  sockets: SocketDirectory,
  names: readonly string[],
  own: string,
): Promise<{ name: string; answer: Answer }[]> {
  const others = names.filter((name) => name !== own);
  const rivals = await Promise.all(
    others.map(async (name) => ({ name, answer: await call(sockets.socketPath(name)) })),
  );
  const dead = rivals.filter((rival) => rival.answer === 'dead');
  await Promise.all(dead.map((rival) => sockets.remove(rival.name)));
  return rivals.filter((rival) => rival.answer !== 'dead');
}

/** Removes sockets of takers that died before they showed themselves. */
async function sweepBindings(sockets: SocketDirectory): Promise<void> {
  for (const name of await sockets.names(BINDING_NAME)) {
    if ((await call(sockets.socketPath(name))) === 'dead') await sockets.remove(name);
  }
}

/** Our own socket, which tells who calls whether it holds the lock or still asks for it. */
class Candidate {
  readonly name: string;
  readonly #sockets: SocketDirectory;
  readonly #server: net.Server;
  #held = false;
  #closing: Promise<void> | undefined;

  private constructor(sockets: SocketDirectory, name: string) {
    this.#sockets = sockets;
    this.name = name;
    this.#server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(this.#held ? 'held' : 'contending');
      socket.destroySoon();
    });
    this.#server.unref();
  }

  /**
   * Binds under a passing name and moves to the lasting one when calls are answered, so that a live
   * lock is never taken for a dead one. Undefined if the passing name was swept away meanwhile.
   */
  static async show(sockets: SocketDirectory): Promise<Candidate | undefined> {
    const stem = `etcdkit-${randomBytes(8).toString('hex')}`;
    const candidate = new Candidate(sockets, `${stem}.lock`);
    await new Promise<void>((done, failed) => {
      candidate.#server.once('error', failed);
      candidate.#server.listen(sockets.socketPath(`${stem}.bind`), done);
    });
    try {
      await fs.rename(join(sockets.path, `${stem}.bind`), join(sockets.path, candidate.name));
      return candidate;
    } catch (error) {
      await candidate.close();
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  hold(): DirectoryLock {
    this.#held = true;
    return { directory: this.#sockets.path, release: () => this.close() };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#sockets.remove(this.name);
      await new Promise((done) => this.#server.close(done));
    })();
    return this.#closing;
  }
}

/** Asks the socket at `path` for its state. */
function call(path: string): Promise<Answer> {
  return new Promise((done, failed) => {
    let answer = '';
    const socket = net.connect({ path });
    socket.setEncoding('latin1');
    socket.setTimeout(ANSWER_TIMEOUT_MILLIS, () => {
      socket.destroy();
      done('held');
    });
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('end', () => done(answer === 'held' || answer === 'contending' ? answer : 'unclear'));
    socket.on('error', (error) => {
      if (isErrno(error, 'ECONNREFUSED', 'ENOENT')) done('dead');
      else if (isErrno(error, 'ECONNRESET', 'EPIPE', 'EAGAIN')) done('unclear');
      else failed(error);
    });
  });
}

/**
 * The directory as an address space: short socket paths into it, however long its own path is, as
 * long as `handle` is open.
 */
class SocketDirectory {
  readonly path: string;
  readonly #prefix: string;

  constructor(path: string, handle: fs.FileHandle) {
    this.path = path;
    const longest = join(path, `etcdkit-${'0'.repeat(16)}.lock`);
    const tooLong = Buffer.byteLength(longest) > MAX_SOCKET_PATH_BYTES;
    this.#prefix = tooLong && process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : path;
  }

  socketPath(name: string): string {
    return join(this.#prefix, name);
  }

  async names(pattern: RegExp): Promise<string[]> {
    return (await fs.readdir(this.path)).filter((name) => pattern.test(name));
  }

  remove(name: string): Promise<void> {
    return fs.rm(join(this.path, name), { force: true });
  }
}
