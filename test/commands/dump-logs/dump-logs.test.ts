import { chmod, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../../src/client/client.js';
import DumpLogs from '../../../src/commands/dump-logs.js';
import WalVerify from '../../../src/commands/wal/verify.js';
import { startEtcd } from '../../../src/testing.js';
import { SEGMENT } from '../../offline/logs/support.js';
import { unpackRealEtcd } from '../../support/recorded-directory.js';
import { runCommand } from '../../support/run-command.js';
import { sharedPath } from '../../support/shared.js';
import { makeTempDir, type TempDir, tempDir } from '../../support/temp-dir.js';
import { ENTRIES, KINDS, rows, writeLog } from './support.js';

const HEAD = 'term\t     index\ttype\tdata';
const METADATA = 'WAL metadata:\nnodeID=8211 clusterID=cdf term=3 commitIndex=20 vote=8211\n';
const EMPTY_SNAPSHOT = 'Snapshot:\nempty\nStart dumping log entries from snapshot.\n';
/** Entries that no filter shows. */
const HIDDEN = KINDS.filter(([, , text]) => text === '').length;

const footer = (types: string, count: number) => `\nEntry types (${types}) count is : ${count}\n`;
const run = (...argv: string[]) => runCommand(DumpLogs, argv);
const objects = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('dump-logs', () => {
  let temporary: TempDir;
  let data = '';

  beforeAll(async () => {
    temporary = await makeTempDir();
    data = await writeLog(join(temporary.path, 'data'));
  });

  afterAll(() => temporary.remove());

  it('prints every kind of entry in the layout of etcd-dump-logs', async () => {
    const { stdout, stderr, exitCode } = await run(data);
    const totals = `WAL entries: ${ENTRIES.length}\nlastIndex=${ENTRIES.length}\n`;
    const count = ENTRIES.length - HIDDEN;
    expect(stdout).toBe(
      `${EMPTY_SNAPSHOT}${METADATA}${totals}${HEAD}\n${rows()}${footer('Normal,ConfigChange', count)}`,
    );
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  });

  it('begins and ends where it is told, with one dash or two', async () => {
    const expected = (from: number, to: number) => {
      const totals = `WAL entries: ${to - from}\n${to > from ? `lastIndex=${to - 1}\n` : ''}`;
      const shown = rows((index) => index >= from && index < to);
      const count = shown.split('\n').length - 1;
      return `Start dumping log entries from index ${from}.\n${METADATA}${totals}${HEAD}\n${shown}${footer('Normal,ConfigChange', count)}`;
    };
    expect((await run('-start-index', '5', data)).stdout).toBe(expected(5, ENTRIES.length + 1));
    const range = await run('--start-index=4', '-end-index=7', data);
    expect(range.stdout).toBe(expected(4, 7));
    expect((await run(data, '--start-index', '999')).stdout).toContain(
      `WAL entries: 0\n${HEAD}\n\n`,
    );
    const zero = await run('-start-index', '0', data);
    expect(zero.stdout).toContain('from index 0.\n');
    expect(zero.stdout).toContain(rows());
  });

  it.each([
    ['ConfigChange', [1, 2, 3]],
    ['Request', [5, 6, 7, 8]],
    ['IRRRange,IRRPut', [9, 10]],
    ['IRRDeleteRange', [11]],
    ['IRRTxn', [12]],
    ['IRRCompaction,ConfigChange', [1, 2, 3, 13]],
    ['IRRLeaseGrant,IRRLeaseRevoke,IRRLeaseCheckpoint', [14, 15, 16]],
    ['InternalRaftRequest', [4, ...Array.from({ length: 14 }, (_, at) => at + 9)]],
    ['Normal', Array.from({ length: 20 }, (_, at) => at + 4)],
    ['', []],
  ])('filters by the type %s', async (types, indexes) => {
    const { stdout } = await run('-entry-type', types, data);
    const shown = rows((index) => indexes.includes(index));
    expect(stdout.slice(stdout.indexOf(HEAD))).toBe(
      `${HEAD}\n${shown}${footer(types, indexes.length)}`,
    );
  });

  it('tells a type that it does not know, and goes on', async () => {
    const { stdout, stderr, exitCode } = await run('-entry-type', 'Nope,IRRTxn', data);
    expect(stderr).toMatch(/^\[Nope\] is not a valid entry-type, ignored\.\nPlease set/);
    expect(stdout).toContain(footer('Nope,IRRTxn', 1));
    expect(exitCode).toBe(0);
  });

  it('asks a stream decoder about each entry', async () => {
    const decoder = join(temporary.path, 'decoder.cjs');
    await writeFile(
      decoder,
      `#!${process.execPath}
const lines = require('node:readline').createInterface({ input: process.stdin });
let count = 0;
lines.on('line', (line) => {
  count += 1;
  const answers = ['OK|' + line, 'plain ' + process.argv[2], 'OK|a|b|c'];
  process.stdout.write(answers[(count - 1) % 3] + '\\n');
});
lines.on('close', () => process.stderr.write('done'));
`,
    );
    await chmod(decoder, 0o755);
    const types = ['-entry-type', 'ConfigChange'];
    const { stdout, stderr, exitCode } = await run(
      '-stream-decoder',
      `${decoder} x`,
      ...types,
      data,
    );
    const [first, second, third] = rows((index) => index <= 3).split('\n');
    expect(stdout.slice(stdout.indexOf(HEAD))).toBe(
      `${HEAD}\tdecoder_status\tdecoded_data\n` +
        `${first}\tOK\t${ENTRIES[0]?.data.toString('hex')}\n` +
        `${second}\tdecoder output format is not right, print output anyway\tplain x\n` +
        `${third}\tOK(*WARNING: data might contain deliminator used by etcd-dump-logs)\tabc\n` +
        footer('ConfigChange', 3),
    );
    expect({ stderr, exitCode }).toEqual({ stderr: 'decoder stderr: done', exitCode: 0 });
    const json = await run('-stream-decoder', `${decoder} x`, '-w', 'json', ...types, data);
    expect(objects(json.stdout)[2]).toMatchObject({
      decoder_status: expect.stringContaining('not right'),
      decoded_data: 'plain x',
    });
  });

  it('ends with a decoder that ends too early, fails or is not there', async () => {
    const outcomes = [];
    for (const decoder of ['true', 'false', join(temporary.path, 'missing')]) {
      const { stdout, stderr, exitCode } = await run('-stream-decoder', decoder, data);
      expect(stdout).not.toContain('count is');
      outcomes.push(`${exitCode} ${stderr.split('\n')[0]}`);
    }
    expect(outcomes).toEqual([
      '1 Error: the stream decoder ended before the last entry',
      '1 Error: decoder: exit status 1',
      expect.stringMatching(/^1 Error: decoder: spawn .*ENOENT$/),
    ]);
  });

  it('prints every record with --raw', async () => {
    const { stdout } = await run('-raw', '-start-index', '21', data);
    expect(stdout.split('\n')).toEqual([
      'CRC: 0',
      'Metadata: NodeID:33297 ClusterID:3295 ',
      'Entry: Term:3 Index:21 Data:"\\242\\006\\002\\010\\025\\242?\\010\\n\\001u\\032\\003tok" ',
      'Entry: Term:3 Index:22 Data:"\\242\\006\\002\\010\\026\\242Q\\007\\n\\0053.6.0" ',
      'Entry: Term:3 Index:23 Data:"?" ',
      'Entry: Term:3 Index:24 Type:EntryConfChangeV2 ',
      'EOF: All entries were processed.',
      '',
    ]);
    const all = (await run('--raw', data)).stdout.split('\n');
    expect(all[2]).toBe('Snapshot: ');
    expect(all).toContain('HardState: term:3 vote:33297 commit:20 ');
    expect(all).toContain('Entry: Term:1 Index:4 ');
  });

  it('goes on behind a wrong CRC with --raw, and tells a torn end', async () => {
    const directory = await writeLog(join(await tempDir(), 'data'));
    const path = join(directory, 'member/wal', SEGMENT);
    const bytes = await readFile(path);
    const at = bytes.indexOf('seen');
    bytes.write('X', at);
    await writeFile(path, bytes);
    const { stdout, stderr } = await run('-raw', directory);
    expect(stdout).toContain('Xeen');
    expect(stderr.match(/CRC error/g)).toHaveLength(1);
    expect(stderr).toMatch(/in file '0{16}-0{16}\.wal' at position: \d+\n$/);
    expect(stdout).toContain('EOF: All entries were processed.\n');
    const failed = await run(directory);
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toMatch(
      /^Error: Failed reading WAL: walpb: crc mismatch: .* at position: \d+\n--raw/,
    );
    const verdict = await runCommand(WalVerify, [directory, '-w', 'json']);
    expect(verdict.exitCode).toBe(1);
    expect(JSON.parse(verdict.stdout)).toMatchObject({
      sound: false,
      damage: { file: SEGMENT, record: 21, reason: expect.stringMatching(/^walpb: crc mismatch/) },
      lastIndex: 17,
      behind: { firstIndex: 19, lastIndex: ENTRIES.length },
    });
    await truncate(path, at);
    expect((await run('-raw', directory)).stdout).toMatch(
      /ErrUnexpectedEOF: The last record might be corrupted, error: unexpected EOF.*\.\n$/,
    );
    const torn = await runCommand(WalVerify, [directory]);
    expect(torn.exitCode).toBe(0);
    expect(torn.stdout).toMatch(
      /sound \(17 entries, 1 to 17, .*\)\ntorn at its end, as after a crash: /,
    );
  });

  it('gives one JSON object a line', async () => {
    const lines = objects((await run('-w', 'json', data)).stdout);
    expect(lines[0]).toEqual({
      record: 'log',
      node_id: '8211',
      cluster_id: 'cdf',
      term: 3,
      commit_index: 20,
      vote: '8211',
      entries: ENTRIES.length,
      last_index: ENTRIES.length,
    });
    expect(lines.at(-1)).toEqual({
      record: 'end',
      entry_types: 'Normal,ConfigChange',
      count: ENTRIES.length - HIDDEN,
    });
    const byIndex = new Map(lines.slice(1, -1).map((line) => [line.index, line]));
    expect(byIndex.get(1)).toEqual({
      record: 'entry',
      term: 1,
      index: 1,
      type: 'conf',
      kind: 'ConfChangeAddNode',
      id: 7,
      member_id: '8211',
      context: { id: 33297, name: 'm1' },
    });
    expect(byIndex.get(4)).toEqual({
      record: 'entry',
      term: 1,
      index: 4,
      type: 'norm',
      kind: 'noop',
    });
    expect(byIndex.get(6)).toMatchObject({
      kind: 'v2_request',
      request: { Method: 'QGET', Path: '/ü' },
    });
    expect(byIndex.get(9)).toMatchObject({
      kind: 'range',
      id: 9,
      request: { key: 'aw==', key_text: 'k', range_end_text: 'l', sort_order: 'DESCEND' },
    });
    // A key with a control character is no text.
    expect(byIndex.get(10).request).toEqual({ key: 'YQBi', value: 'InYK/w==' });
    expect(byIndex.get(12).request.success).toEqual([{ request_put: byIndex.get(10).request }]);
    expect(byIndex.get(23)).toMatchObject({ kind: 'unknown', data: 'Pw==' });
    const secrets = JSON.stringify(lines);
    for (const secret of ['seen', 'hid', 'tok"']) expect(secrets).not.toContain(secret);
    const raw = objects((await run('-w', 'json', '--raw', data)).stdout);
    expect(raw).toHaveLength(ENTRIES.length + 4);
    expect(raw[3]).toMatchObject({
      record: 'entry',
      file: SEGMENT,
      content: { kind: 'ConfChangeAddNode' },
    });
  });

  it('refuses what does not go together, in the words of etcd-dump-logs', async () => {
    const errors = [
      await run(),
      await run(data, 'more'),
      await run('-start-snap', 'x', '-start-index', '1', data),
      await run('-raw', '-entry-type', 'Normal', data),
      await run('-start-snap', 'x.snap', data),
      await run('/nowhere'),
      await run('-start-index', '1', '/nowhere'),
      await run('-raw', '/nowhere'),
    ];
    expect(errors.map(({ stderr, exitCode }) => `${exitCode} ${stderr.trim()}`)).toEqual([
      '1 Error: Must provide data-dir argument (got [])',
      `1 Error: Must provide data-dir argument (got [${data} more])`,
      '1 Error: start-snap and start-index flags cannot be used together.',
      '1 Error: Flags --entry-type, --stream-decoder, --entrytype not supported in the RAW mode.',
      `1 Error: Failed loading snapshot: open ${data}/member/snap/x.snap: no such file or directory`,
      '1 Error: Failed loading snapshot: open /nowhere/member/snap: no such file or directory',
      '1 Error: Failed opening WAL: open /nowhere/member/wal: no such file or directory',
      "1 Error: Failed to read directory '/nowhere/member/wal' error:open /nowhere/member/wal: no such file or directory",
    ]);
    expect((await run('-w', 'table', data)).exitCode).toBe(4);
  });
});

describe.skipIf(sharedPath('fixtures') === undefined).each([
  ['3.4.23', '3415d9c40ac9b6ae', '9f7be36b58620d52', 363],
  ['3.5.30', '5952c0851888971f', '29e9cc9b4537ee4c', 364],
])('dump-logs of etcd %s', (version, node, cluster, last) => {
  let temporary: TempDir;
  let data = '';

  beforeAll(async () => {
    temporary = await makeTempDir();
    data = unpackRealEtcd(version, temporary.path);
  });

  afterAll(() => temporary.remove());

  it('begins behind the newest snapshot, or at the first entry', async () => {
    const voter = BigInt(`0x${node}`);
    const metadata = `WAL metadata:\nnodeID=${node} clusterID=${cluster} term=2 commitIndex=${last} vote=${node}\n`;
    const behind = (await run(data)).stdout;
    expect(behind.slice(0, behind.indexOf(HEAD))).toBe(
      `Snapshot:\nterm=2 index=201 nodes=[${node}] confstate={"voters":[${voter}],"auto_leave":false}\n` +
        `Start dumping log entries from snapshot.\n${metadata}WAL entries: ${last - 201}\nlastIndex=${last}\n`,
    );
    const named = await run('-start-snap', '0000000000000002-00000000000000c9.snap', data);
    expect(named.stdout).toBe(behind);
    const all = (await run('-start-index', '1', '-wal-dir', join(data, 'member/wal'), '/any'))
      .stdout;
    const lines = all.split('\n');
    expect(lines.slice(6, 10)).toEqual([
      `   1\t         1\tconf\tmethod=ConfChangeAddNode id=${node}`,
      '   2\t         2\tnorm\t',
      expect.stringContaining(
        `norm\tmethod=PUT path="/0/members/${node}/attributes" val="{\\"name\\"`,
      ),
      `   2\t         4\tnorm\tmethod=PUT path="/0/version" val="${version.slice(0, 4)}0"`,
    ]);
    const indexes = lines.slice(6, -3).map((line) => Number(line.split('\t')[1]));
    expect(indexes).toEqual(Array.from({ length: last }, (_, at) => at + 1));
    expect(all).not.toContain('???');
    expect(all).toMatch(
      /header:<ID:\d+ > txn:<compare:<target:\w+ key:".*" .*> success:<request_put:<key:"[^"]*" value:"[^"]*" > > /,
    );
    expect(all.endsWith(footer('Normal,ConfigChange', last))).toBe(true);
  });

  it('prints every entry', async () => {
    const { stdout } = await run('-start-index', '1', data);
    await expect(stdout).toMatchFileSnapshot(`golden/v${version}.txt`);
  });

  it('is sound', async () => {
    const { stdout, exitCode } = await runCommand(WalVerify, [data]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      `sound (${last} entries, 1 to ${last}, the last of term 2; commit ${last}`,
    );
    expect(stdout).toContain('0000000000000002-00000000000000c9.snap: whole\n');
  });
});

describe('dump-logs of a running member', () => {
  it('shows what was written so far, again and again', async () => {
    const directory = join(await tempDir(), 'data');
    const etcd = await startEtcd({ storage: { directory } });
    const client = new Client({ endpoints: [etcd.endpoint] });
    try {
      for (let round = 1; round <= 3; round++) {
        const key = Buffer.from(`key-${round}`);
        let isDone = false;
        const writing = (async () => {
          while (!isDone) await client.kv.put({ key, value: Buffer.alloc(100) });
        })();
        const { stdout, exitCode } = await run('-start-index', '1', directory);
        const verdict = await runCommand(WalVerify, [directory]);
        isDone = true;
        await writing;
        expect({ exitCode, verify: verdict.exitCode }).toEqual({ exitCode: 0, verify: 0 });
        const rows = stdout.split('\n').slice(6, -3);
        expect(rows.map((row) => Number(row.split('\t')[1]))).toEqual(rows.map((_, at) => at + 1));
      }
      const { stdout } = await run('-entry-type', 'IRRPut', '-start-index', '1', directory);
      for (let round = 1; round <= 3; round++) expect(stdout).toContain(`put:<key:"key-${round}" `);
    } finally {
      client.close();
      await etcd.stop();
    }
  });
});
