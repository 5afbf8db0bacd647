import { open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import {
  isEndMark,
  LENGTH_FIELD_BYTES,
  padBytesAt,
  recordBytesAt,
} from '../../src/storage/wal/frame.js';
import {
  type EtcdExit,
  type LogLine,
  logLines,
  spawnEtcd,
  startEtcdProcess,
} from '../support/etcd-process.js';
import { tempDir } from '../support/temp-dir.js';

const WRITES = 30;
/** Longer than a few sectors of the disk. */
const LARGE_BYTES = 4000;
const SECTOR_BYTES = 512;
const SEGMENT = '0000000000000000-0000000000000000.wal';

interface Frame {
  readonly start: number;
  readonly end: number;
}

const bytes = (text: string): Buffer => Buffer.from(text);

async function framesOf(path: string): Promise<Frame[]> {
  const content = await readFile(path);
  const frames: Frame[] = [];
  for (let start = 0; start + LENGTH_FIELD_BYTES <= content.length; ) {
    if (isEndMark(content, start)) break;
    const end =
      start + LENGTH_FIELD_BYTES + recordBytesAt(content, start) + padBytesAt(content, start);
    frames.push({ start, end });
    start = end;
  }
  return frames;
}

async function overwrite(path: string, position: number, content: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(content, 0, content.length, position);
  } finally {
    await file.close();
  }
}

/** A data directory whose server was killed right after its last write was acknowledged. */
async function killedMember(): Promise<{ directory: string; log: string; frames: Frame[] }> {
  const directory = await tempDir();
  const server = await startEtcdProcess(directory, ['--backend-batch-interval=1h']);
  const client = new Client({ endpoints: [server.endpoint] });
  for (let i = 0; i < WRITES; i++) {
    const value = i === WRITES - 1 ? 'x'.repeat(LARGE_BYTES) : `v${i}`;
    await client.kv.put({ key: bytes(`k${i}`), value: bytes(value) });
  }
  await server.kill('SIGKILL');
  client.close();
  const log = join(directory, 'member', 'wal', SEGMENT);
  return { directory, log, frames: await framesOf(log) };
}

interface Served {
  /** Whether `k0`, `k1`, ... are there. */
  readonly found: readonly boolean[];
  readonly lines: readonly LogLine[];
  readonly brokenCopies: number;
}

/** Starts the server, looks, and writes once more. */
async function serveAgain(directory: string): Promise<Served> {
  const server = await startEtcdProcess(directory);
  const client = new Client({ endpoints: [server.endpoint] });
  const found: boolean[] = [];
  for (let i = 0; i < WRITES; i++) {
    found.push((await client.kv.range({ key: bytes(`k${i}`) })).count === 1);
  }
  await client.kv.put({ key: bytes('more'), value: bytes('x') });
  client.close();
  const { stderr } = await server.kill('SIGTERM');
  const names = await readdir(join(directory, 'member', 'wal'));
  const brokenCopies = names.filter((name) => name.endsWith('.broken')).length;
  return { found, lines: logLines(stderr), brokenCopies };
}

const all = (count: number): boolean[] => Array.from({ length: WRITES }, (_, i) => i < count);

function expectRefusal({ code, stderr }: EtcdExit, offset: number | undefined): void {
  expect(code).toBe(1);
  const failures = logLines(stderr).filter(({ level }) => level === 'error' || level === 'fatal');
  expect(failures).toHaveLength(1);
  expect(failures[0]?.error).toContain(SEGMENT);
  if (offset !== undefined) expect(failures[0]?.error).toMatch(new RegExp(`\\b${offset}\\b`));
}

describe('a log that was damaged after a kill', () => {
  it('is served whole if only the unused end is cut off', async () => {
    const { directory, log, frames } = await killedMember();
    const end = frames.at(-1)?.end ?? 0;
    await truncate(log, end + 1000);
    expect(await serveAgain(directory)).toMatchObject({ found: all(WRITES), brokenCopies: 0 });
    const after = (await framesOf(log)).at(-1)?.end ?? 0;
    expect(after).toBeGreaterThan(end);
    await truncate(log, after);
    expect(await serveAgain(directory)).toMatchObject({ found: all(WRITES) });
  });

  it.each([
    ['cut', (log: string, { start }: Frame) => truncate(log, start + LARGE_BYTES / 2)],
    [
      'partly zero',
      (log: string, { start }: Frame) => {
        const sector = Math.ceil((start + SECTOR_BYTES) / SECTOR_BYTES) * SECTOR_BYTES;
        return overwrite(log, sector, Buffer.alloc(2 * SECTOR_BYTES));
      },
    ],
  ])('is repaired if its last record is %s, and keeps what it was', async (_, damage) => {
    const { directory, log, frames } = await killedMember();
    const last = frames.findLast(({ start, end }) => end - start > LARGE_BYTES);
    if (last === undefined) throw new Error('there is no large record');
    expect(frames.at(-1), 'the last record is the last write').toEqual(last);
    await damage(log, last);
    const { found, lines, brokenCopies } = await serveAgain(directory);
    expect(found).toEqual(all(WRITES - 1));
    expect(lines.map(({ msg }) => msg)).toContain('repaired');
    expect(brokenCopies).toBe(1);
    expect((await serveAgain(directory)).found).toEqual(all(WRITES - 1));
  });

  it('is refused with its file and offset if a record in the middle is garbled', async () => {
    const { directory, log, frames } = await killedMember();
    const { start, end } = frames[Math.floor(frames.length / 2)] ?? { start: 0, end: 0 };
    await overwrite(log, end - 8, Buffer.from([0xff, 0xee]));
    const server = spawnEtcd(directory);
    expectRefusal(await server.exit, start);
  });

  it('is refused if it lost what the database has applied', async () => {
    const directory = await tempDir();
    const server = await startEtcdProcess(directory);
    const client = new Client({ endpoints: [server.endpoint] });
    for (let i = 0; i < WRITES; i++) await client.kv.put({ key: bytes(`k${i}`) });
    // A hash is taken from the database as committed.
    await client.maintenance.hashKv(0);
    await server.kill('SIGKILL');
    client.close();
    const log = join(directory, 'member', 'wal', SEGMENT);
    await truncate(log, ((await framesOf(log)).at(-10)?.start ?? 0) + LENGTH_FIELD_BYTES);
    const { code, stderr } = await spawnEtcd(directory).exit;
    expect(code).toBe(1);
    expect(logLines(stderr).at(-1)?.error).toContain('a part of the log is missing');
  });

  it('is served or refused, never served in part, if noise follows the last record', async () => {
    const random = seededRandom(7);
    const { directory, log, frames } = await killedMember();
    let end = frames.at(-1)?.end ?? 0;
    for (let round = 0; round < 6; round++) {
      const noise = random.bytes(8 + random.integer(600));
      if (round % 2 === 0) noise.writeUInt32LE(16 + random.integer(400), 0);
      if (round % 2 === 0) noise.writeUInt32LE(0, 4);
      await overwrite(log, end, noise);
      const server = spawnEtcd(directory);
      if ((await server.ready) === 'ended') {
        expectRefusal(await server.exit, end);
      } else {
        await server.kill('SIGKILL');
        expect((await serveAgain(directory)).found).toEqual(all(WRITES));
        end = (await framesOf(log)).at(-1)?.end ?? 0;
      }
      await overwrite(log, end, Buffer.alloc(1000));
    }
    expect((await serveAgain(directory)).found).toEqual(all(WRITES));
  });
});
