import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import {
  readWal,
  validSnapshots,
  verifyWal,
  WAL_BEGINNING,
} from '../../../src/storage/wal/reader.js';
import { readWalWithRepair, repairWal } from '../../../src/storage/wal/repair.js';
import { WalError } from '../../../src/storage/wal/wal-error.js';
import {
  createWriter,
  entries,
  entry,
  fileBytes,
  putFile,
  readEntries,
  reopen,
  state,
  texts,
  VOTERS,
  WAL,
} from './support.js';

const NAME = '0000000000000000-0000000000000000.wal';
const PATH = `${WAL}/${NAME}`;

/** Where the first record of such a log ends, bytes, and the one behind it that says whose it is. */
const CRC_END = 16;
const METADATA_END = 48;

/** A log of one segment without a tail of zeros, and what it says. */
async function smallLog(): Promise<{ bytes: Buffer; entries: string[] }> {
  const fs = new MemoryFs({ tracked: false });
  const writer = await createWriter(fs, { segmentBytes: 4096 });
  for (let at = 1; at <= 8; at++) {
    await writer.save(state(1, at - 1), [entry(at, `value ${'x'.repeat(at * 9)}`)]);
  }
  await writer.saveSnapshot({ index: 4, term: 1, confState: VOTERS });
  await writer.save(state(2, 8), entries(9, 10, 2));
  await writer.close();
  const { tail, entries: found } = await readWal(fs, WAL);
  const bytes = await fileBytes(fs, PATH);
  return { bytes: bytes.subarray(0, tail.offset), entries: texts(found) };
}

async function diskWith(bytes: Uint8Array): Promise<MemoryFs> {
  const fs = new MemoryFs({ tracked: false });
  await fs.makeDirectory(WAL, { recursive: true });
  await putFile(fs, PATH, bytes);
  return fs;
}

/** What a member that boots finds: entries, or the fault it reports. */
async function boot(bytes: Uint8Array): Promise<{ found?: string[]; fault?: WalError }> {
  const fs = await diskWith(bytes);
  try {
    const contents = await readWalWithRepair(fs, WAL, WAL_BEGINNING);
    return { found: texts(contents.entries) };
  } catch (error) {
    if (!(error instanceof WalError)) throw error;
    return { fault: error };
  }
}

describe('a damaged log', () => {
  it('cut at any byte gives the entries before the cut, by repair where needed', async () => {
    const log = await smallLog();
    for (let length = METADATA_END; length <= log.bytes.length; length++) {
      const { found, fault } = await boot(log.bytes.subarray(0, length));
      expect(fault, `length ${length}`).toBeUndefined();
      expect(found).toEqual(log.entries.slice(0, found?.length));
    }
    expect((await boot(log.bytes)).found).toEqual(log.entries);
  });

  it("is not cut where it would be nobody's: no crash leaves it without its metadata", async () => {
    const log = await smallLog();
    for (let length = 1; length < METADATA_END; length++) {
      const bytes = log.bytes.subarray(0, length);
      const fs = await diskWith(bytes);
      const read = readWalWithRepair(fs, WAL, WAL_BEGINNING);
      if (length === CRC_END) await expect(read).resolves.toMatchObject({ entries: [] });
      else await expect(read).rejects.toMatchObject({ fault: 'unexpected-eof' });
      expect(await fileBytes(fs, PATH)).toEqual(bytes);
    }
  });

  it('with any bit flipped gives a typed fault, or a prefix, never another entry', async () => {
    const log = await smallLog();
    const faults = new Set<string>();
    for (let bit = 0; bit < log.bytes.length * 8; bit++) {
      const bytes = Buffer.concat([log.bytes, Buffer.alloc(512)]);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const { found, fault } = await boot(bytes);
      if (fault !== undefined) {
        faults.add(fault.fault);
        expect(fault.file).toBe(NAME);
        expect(fault.offset).toBeLessThan(bytes.length);
      } else {
        expect(found, `bit ${bit}`).toEqual(log.entries.slice(0, found?.length));
      }
    }
    expect(faults).toContain('crc-mismatch');
    expect(faults).toContain('undecodable');
  });

  it('with several bytes overwritten never gives another entry either', async () => {
    const log = await smallLog();
    const random = seededRandom(5);
    for (let round = 0; round < 1500; round++) {
      const bytes = Buffer.concat([log.bytes, Buffer.alloc(random.integer(3) * 300)]);
      const noise = random.bytes(1 + random.integer(12));
      noise.copy(bytes, random.integer(bytes.length));
      const { found } = await boot(bytes);
      if (found !== undefined) expect(found).toEqual(log.entries.slice(0, found.length));
    }
  });

  it('tells where and why the CRC is wrong', async () => {
    const log = await smallLog();
    const at = log.bytes.indexOf('value');
    log.bytes[at] = (log.bytes[at] ?? 0) ^ 1;
    const { fault } = await boot(log.bytes);
    expect(fault?.message).toMatch(
      new RegExp(
        `^walpb: crc mismatch: expected: [0-9a-f]+ computed: [0-9a-f]+: in file '${NAME}' at position: ${fault?.offset}$`,
      ),
    );
  });

  it('is repaired with a copy kept, and written on from there', async () => {
    const log = await smallLog();
    const torn = Buffer.concat([log.bytes.subarray(0, log.bytes.length - 40), Buffer.alloc(700)]);
    torn.writeUInt32LE(600, log.bytes.length - 40);
    torn[log.bytes.length - 30] = 8;
    const fs = await diskWith(torn);
    const before = await readWal(fs, WAL);
    expect(before.torn).toMatchObject({ fault: 'unexpected-eof', file: NAME });
    await expect(verifyWal(fs, WAL)).resolves.toBeDefined();
    expect(await validSnapshots(fs, WAL)).toHaveLength(2);
    expect(await repairWal(fs, WAL)).toBe(true);
    expect(await fileBytes(fs, `${PATH}.broken`)).toEqual(torn);
    expect(await fs.stat(PATH)).toMatchObject({ size: before.tail.offset });
    expect(await repairWal(fs, WAL)).toBe(false);
    const { contents, writer } = await reopen(fs);
    const next = contents.entries.length + 1;
    await writer.save(state(3, 1), [entry(next, 'after the repair', 3)]);
    await writer.close();
    expect((await readEntries(fs)).at(-1)).toBe(`3/${next} after the repair`);
  });

  it('has its stale bytes cut away before anything is written', async () => {
    const log = await smallLog();
    const stale = Buffer.concat([log.bytes, Buffer.alloc(64), Buffer.alloc(5000, 0xee)]);
    const fs = await diskWith(stale);
    const { contents, writer } = await reopen(fs);
    await writer.save(undefined, [entry(contents.entries.length + 1, 'y', 2)]);
    await writer.close();
    const bytes = await fileBytes(fs, PATH);
    expect(bytes).toHaveLength(stale.length);
    expect(bytes.subarray(log.bytes.length + 64).every((byte) => byte === 0)).toBe(true);
    expect(await readEntries(fs)).toHaveLength(contents.entries.length + 1);
  });

  it('refuses a length that exceeds the file', async () => {
    const log = await smallLog();
    const huge = Buffer.alloc(16);
    huge.writeUInt32LE(0x7fffffff, 0);
    huge.writeUInt32LE(0x00ffffff, 4);
    const contents = await readWal(await diskWith(Buffer.concat([log.bytes, huge])), WAL);
    expect(contents.torn?.message).toContain('[wal] max entry size limit exceeded when reading');
    expect(texts(contents.entries)).toEqual(log.entries);
  });
});

describe('a log of several segments', () => {
  async function segmented(): Promise<MemoryFs> {
    const fs = new MemoryFs({ tracked: false });
    const writer = await createWriter(fs, { segmentBytes: 1 });
    for (let at = 1; at <= 4; at++) await writer.save(state(1, 0), entries(at, at));
    await writer.close();
    return fs;
  }

  it('with one missing is refused', async () => {
    const fs = await segmented();
    const names = await fs.readDirectory(WAL);
    await fs.remove(`${WAL}/${names[2]}`);
    await expect(readWal(fs, WAL)).rejects.toMatchObject({ fault: 'sequence-gap' });
  });

  it('with another log between is refused', async () => {
    const fs = await segmented();
    const other = new MemoryFs();
    const writer = await createWriter(other, { segmentBytes: 1 });
    for (let at = 1; at <= 4; at++) await writer.save(state(1, 0), [entry(at, 'other')]);
    await writer.close();
    const name = (await fs.readDirectory(WAL))[2];
    await putFile(fs, `${WAL}/${name}`, await fileBytes(other, `${WAL}/${name}`));
    await expect(readWal(fs, WAL)).rejects.toThrow('walpb: crc mismatch');
  });

  it('with entries missing at the start snapshot is refused', async () => {
    const fs = await segmented();
    const names = await fs.readDirectory(WAL);
    for (const name of names.slice(0, 2)) await fs.remove(`${WAL}/${name}`);
    const renamed = '0000000000000002-0000000000000001.wal';
    await fs.rename(`${WAL}/${names[2]}`, `${WAL}/${renamed}`);
    await expect(readWal(fs, WAL, { index: 1, term: 1 })).rejects.toThrow(
      'wal: slice bounds out of range, snapshot[Index: 1, Term: 1], ' +
        'current entry[Index: 3, Term: 1], len(ents): 0',
    );
  });

  it('torn before the last one is not repaired', async () => {
    const fs = await segmented();
    const name = (await fs.readDirectory(WAL))[1] ?? '';
    const bytes = await fileBytes(fs, `${WAL}/${name}`);
    await putFile(fs, `${WAL}/${name}`, bytes.subarray(0, bytes.length - 3));
    await expect(readWalWithRepair(fs, WAL, WAL_BEGINNING)).rejects.toMatchObject({
      fault: 'unexpected-eof',
      file: name,
    });
  });

  it('that is not there is told', async () => {
    const fs = new MemoryFs();
    await expect(readWal(fs, WAL)).rejects.toThrow('wal: file not found');
    await expect(validSnapshots(fs, WAL)).rejects.toThrow('wal: file not found');
    await expect(repairWal(fs, WAL)).rejects.toThrow('wal: file not found');
  });
});
