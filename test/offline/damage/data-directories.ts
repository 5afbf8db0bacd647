import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { silentLogger } from '../../../src/base/logger.js';
import { fileHash } from '../../../src/offline/file-hash.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { readRecords } from '../../../src/storage/wal/record-reader.js';
import { listSegments } from '../../../src/storage/wal/segments.js';
import { startEtcd } from '../../../src/testing.js';
import { contentsOf, fillEtcd } from '../../support/etcd-contents.js';
import { tempDir } from '../../support/temp-dir.js';
import { exportTo } from '../support.js';
import { type Answer, answerOf } from './answers.js';

/** Room behind the records of the log. */
const TAIL_BYTES = 2048;

/** Contents by path below the data directory. */
export type Files = ReadonlyMap<string, Buffer>;
/** Gets a data directory, and a path beside it where nothing is. */
export type DirectoryOperation = (data: string, output: string) => Promise<unknown>;

export async function filesOf(directory: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // LMDB's reader tables and our locks are no data, and the writer's next segment holds nothing.
    if (!entry.isFile() || /lock$|\.tmp$/i.test(entry.name)) continue;
    files.set(path.slice(directory.length + 1), await readFile(path));
  }
  return files;
}

export async function writeFiles(directory: string, files: Files): Promise<void> {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(directory, path), bytes);
  }
}

/** Less room behind the records of the last segment of the log. */
export async function withShortLog(files: Files, dataDirectory: string): Promise<Files> {
  const wal = join(dataDirectory, 'member/wal');
  const segments = await listSegments(nodeFs, wal, silentLogger);
  const { segment, offset } = await readRecords(nodeFs, wal, segments, () => {});
  const last = `member/wal/${segment.name}`;
  const bytes = files.get(last) ?? Buffer.alloc(0);
  return new Map([...files, [last, Buffer.from(bytes.subarray(0, offset + TAIL_BYTES))]]);
}

/** The directory of a member of ours, with less room behind the records of its log. */
export async function ourDirectory(flags: readonly string[] = []): Promise<Files> {
  const data = join(await tempDir(), 'data');
  const etcd = await startEtcd({ storage: { directory: data }, flags });
  await fillEtcd(etcd.endpoint, 60);
  await etcd.stop();
  return withShortLog(await filesOf(data), data);
}

export const exportIt: DirectoryOperation = async (data, output) => {
  await exportTo(data, output);
  return fileHash(nodeFs, join(output, 'member/snap/db'));
};

/** A server of its own: what it tells of all that it holds. */
export const serve: DirectoryOperation = async (data) => {
  const etcd = await startEtcd({ storage: { directory: data }, logger: silentLogger });
  try {
    return await contentsOf(etcd.endpoint);
  } finally {
    await etcd.stop();
  }
};

export interface DirectoryAnswer {
  readonly answer: Answer;
  readonly after: Files;
  /** Whether there was any. */
  readonly output: boolean;
}

export async function answerFor(
  files: Files,
  operation: DirectoryOperation,
  parent: string,
): Promise<DirectoryAnswer> {
  const data = join(parent, 'data');
  const output = join(parent, 'output');
  await writeFiles(data, files);
  try {
    const found = await answerOf(() => operation(data, output));
    const left = (await readdir(parent)).includes('output');
    return { answer: found, after: await filesOf(data), output: left };
  } finally {
    await rm(data, { recursive: true, force: true });
    await rm(output, { recursive: true, force: true });
  }
}

export function isUntouched(before: Files, after: Files, except: string | undefined): boolean {
  return (
    before.size === after.size &&
    [...before].every(([path, bytes]) => path === except || after.get(path)?.equals(bytes) === true)
  );
}

export function textOf(found: Answer): string {
  if ('fault' in found) {
    return found.fault instanceof Error ? (found.fault.stack ?? '') : String(found.fault);
  }
  return 'text' in found ? `a wrong answer: ${found.text.slice(0, 300)}` : found.message;
}
