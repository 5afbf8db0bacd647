import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import DumpHash from '../../../src/commands/dump-db/hash.js';
import IterateBucket from '../../../src/commands/dump-db/iterate-bucket.js';
import ListBucket from '../../../src/commands/dump-db/list-bucket.js';
import ScanKeys from '../../../src/commands/dump-db/scan-keys.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { BUCKETS } from '../../../src/storage/backend/backend.js';
import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { keyRow } from '../../offline/support.js';
import { unpackRealEtcd } from '../../support/recorded-directory.js';
import { runCommand } from '../../support/run-command.js';
import { sharedPath } from '../../support/shared.js';
import { makeTempDir, type TempDir, tempDir } from '../../support/temp-dir.js';

const fixtures = sharedPath('fixtures');

const lines = (text: string) => text.split('\n').filter((line) => line !== '');

describe.skipIf(fixtures === undefined)('dump-db of the directory of a real etcd', () => {
  let directory: TempDir;
  let data = '';

  beforeAll(async () => {
    directory = await makeTempDir();
    data = unpackRealEtcd('3.5.30', directory.path);
  });

  afterAll(() => directory.remove());

  const iterate = async (bucket: string, ...flags: string[]) =>
    lines((await runCommand(IterateBucket, [data, bucket, ...flags])).stdout);

  it('lists its buckets', async () => {
    const { stdout } = await runCommand(ListBucket, [data]);
    expect(lines(stdout)).toEqual([...BUCKETS]);
    const json = await runCommand(ListBucket, ['-w', 'json', join(data, 'member/snap/db')]);
    expect(lines(json.stdout)[5]).toBe('{"bucket":"key"}');
  });

  it('shows what is in them as etcd-dump-db does', async () => {
    expect(await iterate('auth', '--decode')).toEqual([
      'key="authRevision", value=9',
      'key="authEnabled", value=[1]',
    ]);
    expect(await iterate('authRoles', '--decode')).toEqual([
      'role="writer", keyPermission=[permType:READWRITE key:"/registry/" range_end:"/registry0"]',
      'role="reader", keyPermission=[key:"/config/" range_end:"/config0"]',
    ]);
    expect(await iterate('authUsers', '--decode')).toEqual([
      'user="root", roles=["root"], option=',
      'user="alice", roles=["reader"], option=',
    ]);
    expect(await iterate('lease', '--decode')).toEqual([
      'lease ID=171fa1fba1a80d61, TTL=100000s, remaining TTL=0s',
    ]);
    expect(await iterate('meta', '--decode', '--limit=4')).toEqual([
      'key="term", value=2',
      'key="scheduledCompactRev", value={56 0}',
      'key="finishedCompactRev", value={56 0}',
      'key="consistent_index", value=364',
    ]);
    expect(await iterate('cluster')).toEqual(['key="clusterVersion", value="3.5.0"']);
    expect((await iterate('key', '--decode', '--limit', '1'))[0]).toBe(
      'rev={Revision:{Main:346 Sub:0} tombstone:false}, value=[key "churn/5" | val "round 250" | created 101 | mod 346 | ver 36]',
    );
  });

  it('has every key that the server had, in JSON with all its fields', async () => {
    const { kvs } = JSON.parse(readFileSync(`${fixtures}/v3.5.30.all-keys.json`, 'utf8'));
    const rows = (await iterate('key', '--decode', '-w', 'json')).map((line) => JSON.parse(line));
    const byRevision = new Map(rows.map((row) => [`${row.mod_revision} ${row.key}`, row]));
    for (const kv of kvs) {
      const {
        main: _main,
        sub: _sub,
        tombstone: _tombstone,
        ...found
      } = byRevision.get(`${kv.mod_revision} ${kv.key}`) ?? {};
      expect(found).toEqual(kv);
    }
    expect(rows.filter(({ tombstone }) => tombstone).length).toBeGreaterThan(0);
  });

  it('finds its keys page by page, also where the tree is cut off', async () => {
    const path = join(await tempDir(), 'damaged.db');
    const bytes = await readFile(join(data, 'member/snap/db'));
    const scan = async () => lines((await runCommand(ScanKeys, [path, '0'])).stdout);
    await writeFile(path, bytes);
    const before = await scan();
    // The pages of all branches: nothing leads to the leaves any more.
    for (let at = 2 * 4096; at < bytes.length; at += 4096) {
      if (bytes.readUInt16LE(at + 8) === 1) bytes.fill(0xff, at + 16, at + 4096);
    }
    await writeFile(path, bytes);
    expect(await scan()).toEqual(before);
    const { exitCode } = await runCommand(IterateBucket, [path, 'key']);
    expect(exitCode).toBe(1);
    const since = await runCommand(ScanKeys, [path, '346']);
    expect(since.stdout).toMatch(/^pageID=\d+, index=\d+\/\d+, rev=\{Revision:\{Main:346 Sub:0\}/);
  });

  it('hashes all of it, but not what is a member’s own', async () => {
    const file = join(data, 'member/snap/db');
    const { stdout } = await runCommand(DumpHash, [data]);
    expect(stdout).toBe(`db path: ${file}\nHash: 100338407\n`);
  });

  it('says what is wrong with its arguments', async () => {
    const errors = [
      await runCommand(ListBucket, []),
      await runCommand(ListBucket, ['/nowhere/db']),
      await runCommand(IterateBucket, [data]),
      await runCommand(IterateBucket, [data, 'nope']),
      await runCommand(ScanKeys, [data, 'x']),
    ];
    expect(errors.map(({ stderr, exitCode }) => `${exitCode} ${stderr.trim()}`)).toEqual([
      '1 Error: Must provide at least 1 argument (got [])',
      '1 Error: "/nowhere/db" does not exist',
      `1 Error: Must provide 2 arguments (got [${data}])`,
      '1 Error: got nil bucket for nope',
      '1 Error: strconv.ParseInt: parsing "x": invalid syntax',
    ]);
    expect((await runCommand(ListBucket, [data, '-w', 'table'])).exitCode).toBe(4);
  });
});

describe('dump-db of a directory of ours', () => {
  it('shows the same forms, large values and empty buckets included', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock });
    const large = 'x'.repeat(20_000);
    for (let main = 2; main < 502; main++) {
      const value = main === 400 ? large : `value ${main}`;
      const [key, row] = keyRow({ main, key: `key-${main % 50}`, value });
      backend.put('key', key, row);
    }
    backend.put('meta', Buffer.from('storageVersion'), Buffer.from('3.7.0'));
    await backend.close();
    const list = await runCommand(ListBucket, [directory]);
    expect(lines(list.stdout)).toEqual([...BUCKETS]);
    const rows = lines((await runCommand(IterateBucket, [directory, 'key', '--decode'])).stdout);
    expect(rows.length).toBe(500);
    expect(rows[0]).toContain('{Main:501 Sub:0}');
    expect(rows[101]).toContain(`val "${large}"`);
    expect(lines((await runCommand(IterateBucket, [directory, 'lease'])).stdout)).toEqual([]);
    const scanned = await runCommand(ScanKeys, [directory, '400']);
    expect(lines(scanned.stdout).filter((line) => line.includes(large)).length).toBe(1);
    expect(scanned.stderr).toBe('');
  });
});
