import { dirname, isAbsolute, join, relative } from 'node:path';
import { quoteGo } from '../../base/go-format.js';
import { fileErrorText } from '../../platform/file-error-text.js';
import type { Fs } from '../../platform/fs.js';

/** A restore that was not done, or not carried through. `message` is etcd's where it has one. */
export class RestoreError extends Error {
  override readonly name = 'RestoreError';
  /** What to try, if that is not plain from the message. */
  readonly hint: string | undefined;

  constructor(message: string, cause?: unknown, hint?: string) {
    super(message, cause === undefined ? {} : { cause });
    this.hint = hint;
  }
}

const STAGE_SUFFIX = '.restore.tmp';
const DIRECTORY_MODE = 0o700;

/** Takes a directory for one process; see acquireDirectoryLock. */
export type TakeDirectory = (path: string) => Promise<{ release(): Promise<void> }>;

/**
 * Where a member is made until it is whole. It lies beside the data directory; if that exists, and
 * is empty, within it, for it may be a volume of its own that can't be replaced by renaming. A log
 * elsewhere is made beside its own place.
 */
export class RestoreTarget {
  /** Where to make the snap directory, and the log. Their parents exist. */
  readonly snapDirectory: string;
  readonly walDirectory: string;
  readonly #fs: Fs;
  readonly #stages: StagePlan['stages'];
  /** What becomes what, in this order. */
  readonly #moves: readonly Move[];
  readonly #lock: { release(): Promise<void> } | undefined;

  private constructor(fs: Fs, plan: StagePlan, lock: { release(): Promise<void> } | undefined) {
    this.#fs = fs;
    this.#stages = plan.stages;
    this.#moves = plan.moves;
    this.#lock = lock;
    this.snapDirectory = plan.snapDirectory;
    this.walDirectory = plan.walDirectory;
  }

  /**
   * Refuses directories that are in use, in the order and with the words of etcd.
   * @throws RestoreError
   */
  static async check(fs: Fs, dataDirectory: string, walDirectory: string): Promise<void> {
    if (!(await isFree(fs, dataDirectory))) {
      throw new RestoreError(`data-dir ${quoteGo(dataDirectory)} not empty or could not be read`);
    }
    if ((await fs.stat(walDirectory)) !== undefined) {
      throw new RestoreError(`wal-dir ${quoteGo(walDirectory)} exists`);
    }
  }

  /**
   * Makes the place, and removes what a run that was killed has left there.
   * @throws RestoreError
   */
  static async prepare(
    fs: Fs,
    dataDirectory: string,
    walDirectory: string,
    takeDirectory?: TakeDirectory,
  ): Promise<RestoreTarget> {
    const plan = await planStage(fs, dataDirectory, walDirectory);
    const [stage] = plan.stages;
    await makeDirectory(fs, stage);
    const lock = await takeDirectory?.(stage);
    try {
      for (const { from } of plan.moves) await fs.removeTree(from);
      await makeDirectory(fs, plan.snapDirectory);
      await makeDirectory(fs, dirname(plan.walDirectory));
    } catch (error) {
      await lock?.release();
      for (const each of plan.stages) await fs.removeTree(each);
      throw error;
    }
    return new RestoreTarget(fs, plan, lock);
  }

  /**
   * Gives what was made its name. The log goes first: a data directory without one would be taken
   * for that of a new member.
   * @throws RestoreError
   */
  async finish(): Promise<void> {
    const done: Move[] = [];
    try {
      for (const move of this.#moves) {
        await makeDirectory(this.#fs, dirname(move.to));
        await this.#fs.rename(move.from, move.to);
        done.push(move);
        await this.#fs.syncDirectory(dirname(move.to));
      }
    } catch (error) {
      for (const { to } of done) await this.#fs.removeTree(to);
      const [failed] = this.#moves.slice(done.length);
      throw new RestoreError(fileErrorText('rename', failed?.from ?? '', error), error);
    }
    await this.discard();
  }

  /** Removes all that was not given its name. */
  async discard(): Promise<void> {
    await this.#lock?.release();
    for (const stage of this.#stages) await this.#fs.removeTree(stage);
  }
}

interface Move {
  readonly from: string;
  readonly to: string;
}

interface StagePlan {
  /** Directories that are gone in the end; the first is the one that is locked. */
  readonly stages: readonly [string, ...string[]];
  readonly snapDirectory: string;
  readonly walDirectory: string;
  readonly moves: readonly Move[];
}

async function planStage(fs: Fs, data: string, wal: string): Promise<StagePlan> {
  const exists = (await fs.stat(data)) !== undefined;
  const stage = exists ? join(data, STAGE_SUFFIX) : `${trimSlashes(data)}${STAGE_SUFFIX}`;
  const root = exists ? join(data, 'member') : data;
  const made = join(stage, 'made');
  const member = exists ? made : join(made, 'member');
  const snapDirectory = join(member, 'snap');
  const below = relative(root, wal);
  if (below !== '' && !below.startsWith('..') && !isAbsolute(below)) {
    const moves = [{ from: made, to: root }];
    return { stages: [stage], snapDirectory, walDirectory: join(made, below), moves };
  }
  const walStage = `${trimSlashes(wal)}${STAGE_SUFFIX}`;
  const walDirectory = join(walStage, 'made');
  const moves = [
    { from: walDirectory, to: wal },
    { from: made, to: root },
  ];
  return { stages: [stage, walStage], snapDirectory, walDirectory, moves };
}

/** Absent or empty, but for what an earlier run of ours left there. */
async function isFree(fs: Fs, directory: string): Promise<boolean> {
  const stat = await fs.stat(directory);
  if (stat === undefined) return true;
  if (!stat.isDirectory) return false;
  const names = await fs.readDirectory(directory).catch(() => undefined);
  return names?.every((name) => name.endsWith(STAGE_SUFFIX)) ?? false;
}

/** Makes a directory with those above it, each durable; or none of them. */
async function makeDirectory(fs: Fs, path: string): Promise<void> {
  const made: string[] = [];
  try {
    for (let at = path; (await fs.stat(at)) === undefined; at = dirname(at)) made.push(at);
    await fs.makeDirectory(path, { recursive: true, mode: DIRECTORY_MODE });
    for (const directory of made.toReversed()) await fs.syncDirectory(dirname(directory));
  } catch (error) {
    const top = made.at(-1);
    if (top !== undefined) await fs.removeTree(top);
    throw new RestoreError(fileErrorText('mkdir', path, error), error);
  }
}

function trimSlashes(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}
