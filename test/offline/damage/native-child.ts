/**
 * Opens damaged databases with LMDB in a process of its own, which a mistake would end.
 * Usage: native-child <sound file> <directory to work in> <number of files> <seed>
 *
 * Says what it is about to do, then what came of it; see native.test.ts.
 */
import { writeSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeClock } from '../../../src/platform/node-clock.js';
import type { Random } from '../../../src/platform/random.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { type Backend, BUCKETS } from '../../../src/storage/backend/backend.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import {
  decodeLmdbLeaf,
  LMDB_PAGE_BYTES,
  LmdbPageKind,
} from '../../../src/storage/backend/lmdb-page.js';
import { type Answer, answerOf, Digest } from './answers.js';
import { damage } from './damage.js';
import { type Extent, lmdbContent, withContentOf } from './extents.js';

const WRITTEN_ROWS = 40;

/** Reads all there is, then writes: LMDB reuses free pages, splits and merges others. */
async function readAndWrite(backend: Backend): Promise<string> {
  const digest = new Digest();
  for (const bucket of BUCKETS) {
    digest.add(bucket);
    for (const row of backend.range(bucket, Buffer.alloc(0))) digest.add(...row);
  }
  const keys = [...backend.range('key', Buffer.alloc(0))].map(([key]) => key);
  for (let n = 0; n < WRITTEN_ROWS; n++) {
    backend.put('key', Buffer.from(`row ${n}`), Buffer.alloc(n % 10 === 0 ? 9000 : 300, n));
    const key = keys[3 * n];
    if (key !== undefined) backend.delete('key', key);
  }
  await backend.commit();
  return String(digest);
}

async function answer(directory: string, bytes: Buffer): Promise<Answer> {
  await mkdir(directory);
  try {
    await writeFile(join(directory, LMDB_FILE_NAME), bytes);
    return await answerOf(async () => {
      const options = { directory, clock: nodeClock, noSync: true, checkWholeFile: true };
      const backend = await LmdbBackend.open(options);
      try {
        return await readAndWrite(backend);
      } finally {
        await backend.close();
      }
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

function leafPages(bytes: Buffer): number[] {
  const pages: number[] = [];
  for (let at = 2 * LMDB_PAGE_BYTES; at < bytes.length; at += LMDB_PAGE_BYTES) {
    if (bytes.readUInt16LE(at + 18) === LmdbPageKind.leaf) pages.push(at / LMDB_PAGE_BYTES);
  }
  return pages;
}

/**
 * Rows begin at even places, so that a length may be wrong by the byte between two rows: nothing
 * tells that from a row that is longer. So may that of a value on pages of its own, within them.
 */
function contentWithLengths(sound: Buffer): Extent[] {
  const lengths: Extent[] = [];
  for (const number of leafPages(sound)) {
    const start = number * LMDB_PAGE_BYTES;
    const bytes = sound.subarray(start, start + LMDB_PAGE_BYTES);
    for (const { offset, kind } of decodeLmdbLeaf({ file: '', number, bytes })) {
      const loose = kind === 'overflow' ? 2 : 1;
      lengths.push({ start: start + offset, end: start + offset + loose });
      lengths.push({ start: start + offset + 6, end: start + offset + 7 });
    }
  }
  return [...lmdbContent(sound), ...lengths];
}

/** A page that something happened to, among pages that nothing happened to. */
function damageLeaf(sound: Buffer, page: number, random: Random): { kind: string; bytes: Buffer } {
  const bytes = Buffer.from(sound);
  const target = bytes.subarray(page * LMDB_PAGE_BYTES, (page + 1) * LMDB_PAGE_BYTES);
  const { kind, bytes: damaged } = damage(Buffer.from(target), random);
  target.fill(0).set(damaged.subarray(0, LMDB_PAGE_BYTES));
  return { kind, bytes };
}

async function main(path: string, directory: string, count: number, seed: number): Promise<void> {
  const sound = await readFile(path);
  const content = contentWithLengths(sound);
  const pages = leafPages(sound);
  const expected = await answer(join(directory, 'sound'), sound);
  const say = (text: string) => writeSync(1, `${text}\n`);
  const isSame = (one: Answer, other: Answer) =>
    'text' in one && 'text' in other && one.text === other.text;
  if (!('text' in expected)) throw new Error('the sound file is refused', { cause: expected });
  for (let round = 0; round < count; round++) {
    const page = pages[round % pages.length] ?? 0;
    const { kind, bytes } = damageLeaf(sound, page, seededRandom(seed + round));
    say(`begin ${seed + round} page ${page} ${kind}`);
    const found = await answer(join(directory, `${round}`), bytes);
    const changed = withContentOf(sound, bytes, content);
    if ('error' in found) say(`answer ${found.error}`);
    else if ('fault' in found) say(`wrong ${kind}, page ${page}: ${String(found.fault)}`);
    else if (isSame(found, expected)) say('answer same');
    else if (changed && isSame(found, await answer(join(directory, 'changed'), changed))) {
      say('answer content');
    } else say(`wrong ${kind}, seed ${seed + round}, page ${page}: other rows`);
  }
  say('end');
}

const [path = '', directory = '', count = '0', seed = '0'] = process.argv.slice(2);
await main(path, directory, Number(count), Number(seed));
