import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrinter } from '../../../src/cli/printers/create-printer.js';
import type { OutputFormat } from '../../../src/cli/printers/output-format.js';
import type { Printer } from '../../../src/cli/printers/printer.js';
import { Client } from '../../../src/client/client.js';
import { Permission_Type } from '../../../src/proto/gen/authpb/auth.js';
import {
  AlarmRequest_AlarmAction,
  AlarmType,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../../support/real-etcd.js';

const FORMATS: readonly OutputFormat[] = ['simple', 'json', 'fields', 'protobuf'];

/** How much shorter the JSON form of a watch is before 3.7. */
const CANCEL_REASON_LENGTH = ',"CancelReason":""'.length;

const bytes = (text: string): Buffer => Buffer.from(text);

/** Bytes that are not UTF-8, control characters, quotes, HTML and line separators. */
const AWKWARD = Buffer.concat([
  bytes('<&>"\\\n\t\u2028é€\u{1f600}\u200b'),
  Buffer.from([0, 7, 0x7f, 0xff]),
]);

/** What etcdctl prints, with what depends on the moment or the version taken out. */
function comparable(output: Buffer, format: OutputFormat): string {
  if (format === 'protobuf') {
    return output.toString('hex');
  }
  return output.toString('latin1');
}

describe.skipIf(!hasRealEtcd)('printers against the real etcdctl', () => {
  let etcd: RealEtcd;
  let client: Client;
  let leaseWithKey: bigint;

  beforeAll(async () => {
    etcd = await startRealEtcd();
    client = new Client({ endpoints: [etcd.endpoint] });
    leaseWithKey = (await client.lease.grant({ TTL: 500, ID: 0x7fff_ffff_ffff_fff1n })).ID;
    await client.kv.put({ key: bytes('k/1'), value: bytes('one') });
    await client.kv.put({ key: bytes('k/1'), value: AWKWARD, lease: leaseWithKey });
    await client.kv.put({ key: Buffer.concat([bytes('k/2'), AWKWARD]), value: Buffer.alloc(0) });
  });

  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });

  async function check(
    args: readonly string[],
    print: (printer: Printer) => Buffer | Promise<Buffer>,
    formats: readonly OutputFormat[] = FORMATS,
    adapt: (text: string) => string = (text) => text,
  ): Promise<void> {
    for (const format of formats) {
      const printer = await createPrinter(format, false);
      const ours = comparable(await print(printer), format);
      const theirs = comparable(etcd.ctl([...args, '-w', format]), format);
      expect(adapt(ours), format).toBe(adapt(theirs));
    }
  }

  it('prints ranges', async () => {
    const response = await client.kv.range({ key: bytes('k/'), rangeEnd: bytes('k0') });
    await check(['get', 'k/', '--prefix'], (printer) => printer.get(response));
  });

  it('prints values only, and keys and values in hex', async () => {
    const response = await client.kv.range({ key: bytes('k/'), rangeEnd: bytes('k0') });
    const valueOnly = (printer: Printer) => printer.get(response, { valueOnly: true });
    await check(['get', 'k/', '--prefix', '--print-value-only'], valueOnly, ['simple']);
    const printer = await createPrinter('simple', true);
    expect(printer.get(response).toString()).toBe(
      etcd.ctl(['get', 'k/', '--prefix', '--hex']).toString(),
    );
  });

  it('prints keys only and counts', async () => {
    const range = { key: bytes('k/'), rangeEnd: bytes('k0') };
    const keys = await client.kv.range({ ...range, keysOnly: true });
    await check(['get', 'k/', '--prefix', '--keys-only'], (printer) => printer.get(keys));
    // etcdctl 3.4 has no --count-only.
    const count = await client.kv.range({ ...range, countOnly: true });
    const fields = await createPrinter('fields', false);
    expect(fields.get(count).toString()).toMatch(
      /"RaftTerm" : \d+\n"More" : false\n"Count" : 2\n$/,
    );
    const none = await client.kv.range({ key: bytes('nothing') });
    await check(['get', 'nothing'], (printer) => printer.get(none));
  });

  it('prints puts and deletions with previous values', async () => {
    const undated = (text: string) => text.replace(/[Rr]evision"( ?: ?)\d+/g, 'revision"$1N');
    const put = { key: bytes('p'), value: bytes('v'), prevKv: true };
    await client.kv.put(put);
    for (const format of ['simple', 'json', 'fields'] as const) {
      const printer = await createPrinter(format, false);
      const ours = printer.put(await client.kv.put(put)).toString();
      const theirs = etcd.ctl(['put', 'p', 'v', '--prev-kv', '-w', format]).toString();
      const versionless = (text: string) =>
        undated(text).replace(/ersion"( ?: ?)\d+/g, 'ersion"$1N');
      expect(versionless(ours), format).toBe(versionless(theirs));
    }
    for (const format of ['simple', 'json', 'fields'] as const) {
      const printer = await createPrinter(format, false);
      await client.kv.put({ key: bytes('d'), value: AWKWARD });
      const response = await client.kv.deleteRange({ key: bytes('d'), prevKv: true });
      await client.kv.put({ key: bytes('d'), value: AWKWARD });
      const theirs = etcd.ctl(['del', 'd', '--prev-kv', '-w', format]).toString('latin1');
      expect(undated(printer.deleteRange(response).toString('latin1')), format).toBe(
        undated(theirs),
      );
    }
  });

  it('prints transactions', async () => {
    const compare = {
      result: Compare_CompareResult.EQUAL,
      target: Compare_CompareTarget.VERSION,
      key: bytes('k/1'),
      targetUnion: { $case: 'version' as const, value: 2 },
      rangeEnd: Buffer.alloc(0),
    };
    const get = RangeRequest.create({ key: bytes('k/1') });
    const del = DeleteRangeRequest.create({ key: bytes('absent'), prevKv: true });
    const response = await client.kv.txn({
      compare: [compare],
      success: [
        { request: { $case: 'requestRange', value: get } },
        { request: { $case: 'requestDeleteRange', value: del } },
      ],
    });
    const input = 'ver("k/1") = "2"\n\nget k/1\ndel absent --prev-kv\n\n\n';
    // Trap: 3.4 names the operations as Go fields, 3.5 and later as proto fields; the txn forms of
    // 3.4 and 3.7 agree in all else save the revision 0 of a fields header.
    for (const format of FORMATS) {
      const printer = await createPrinter(format, false);
      const theirs = comparable(etcd.ctl(['txn', '-w', format], input), format)
        .replaceAll('ResponseRange', 'response_range')
        .replaceAll('ResponseDeleteRange', 'response_delete_range');
      expect(comparable(printer.txn(response), format), format).toBe(theirs);
    }
    const put = PutRequest.create({ key: bytes('t'), value: bytes('v') });
    const written = await client.kv.txn({
      success: [{ request: { $case: 'requestPut', value: put } }],
    });
    const simple = await createPrinter('simple', false);
    expect(simple.txn(written).toString()).toBe('SUCCESS\n\nOK\n');
  });

  it('prints leases', async () => {
    const list = await client.lease.list();
    await check(['lease', 'list'], (printer) => printer.leaseList(list));
    const id = leaseWithKey.toString(16);
    const response = await client.lease.timeToLive({ ID: leaseWithKey, keys: true });
    const untimed = (text: string) =>
      text.replace(/remaining\(\d+s\)|"ttl":\d+|"TTL" : \d+/g, 'remaining');
    await check(
      ['lease', 'timetolive', id, '--keys'],
      (printer) => printer.leaseTimeToLive(response, true),
      FORMATS,
      untimed,
    );
    const missing = await client.lease.timeToLive({ ID: 0x1234n });
    await check(['lease', 'timetolive', '1234'], (printer) =>
      printer.leaseTimeToLive(missing, false),
    );
    const renewed = await client.lease.keepAliveOnce(leaseWithKey);
    await check(['lease', 'keep-alive', '--once', id], (printer) =>
      printer.leaseKeepAlive(renewed),
    );
    const granted = await client.lease.grant({ TTL: 300 });
    const anonymous = (text: string) =>
      text.replace(/lease [0-9a-f]{16}|"ID":\d+|"ID" : \d+/g, 'lease');
    await check(
      ['lease', 'grant', '300'],
      (printer) => printer.leaseGrant(granted),
      FORMATS,
      anonymous,
    );
  });

  it('prints watches', async () => {
    const key = bytes('w');
    const { header } = await client.kv.put({ key, value: AWKWARD });
    await client.kv.put({ key, value: bytes('2'), lease: leaseWithKey });
    await client.kv.deleteRange({ key });
    const startRevision = header?.revision ?? 0;
    const watcher = client.watch.watch({ key, startRevision, prevKv: true });
    const { value: update } = await watcher[Symbol.asyncIterator]().next();
    expect(update.events).toHaveLength(3);
    watcher.cancel();
    for (const format of FORMATS) {
      const printer = await createPrinter(format, false);
      const ours = printer.watch(update);
      const args = ['watch', 'w', `--rev=${startRevision}`, '--prev-kv', '-w', format];
      const theirs = await etcd.ctlUntil(
        args,
        ours.length - (format === 'json' ? CANCEL_REASON_LENGTH : 0),
      );
      // Only 3.7 tells the reason of a cancellation.
      const comparableOurs = comparable(ours, format).replace(',"CancelReason":""', '');
      expect(comparableOurs, format).toBe(comparable(theirs, format));
    }
  });

  it('prints cancelled watches', async () => {
    const key = bytes('compacted');
    await client.kv.put({ key });
    const { header } = await client.kv.put({ key });
    await client.kv.compact({ revision: header?.revision ?? 0 });
    const watcher = client.watch.watch({ key, startRevision: 1 });
    const { value: update } = await watcher[Symbol.asyncIterator]().next();
    for (const format of FORMATS) {
      const printer = await createPrinter(format, false);
      const theirs = await etcd.ctlUntil(['watch', 'compacted', '--rev=1', '-w', format], 1_000);
      // Before 3.6 the fields form shows a revision of 0, before 3.7 an empty list is [].
      const old = comparable(theirs, format)
        .replace('"Revision" : 0\n', '')
        .replace('"Events":[]', '"Events":null');
      const ours = comparable(printer.watch(update), format);
      expect(ours.replace(',"CancelReason":""', ''), format).toBe(old);
    }
  });

  it('prints members', async () => {
    const response = await client.cluster.memberList();
    // 3.6 and later leave a revision of 0 out of the header of the fields form.
    const adapt = (text: string) => text.replace('"Revision" : 0\n', '');
    await check(['member', 'list'], (printer) => printer.memberList(response), FORMATS, adapt);
    const table = await createPrinter('table', false);
    const ascii = etcd.ctl(['member', 'list', '-w', 'table']).toString();
    expect(asciiTable(table.memberList(response).toString())).toBe(ascii);
  });

  it('prints changes of members', async () => {
    const [self] = (await client.cluster.memberList()).members;
    const ID = self?.ID ?? 0n;
    const peerURLs = self?.peerURLs ?? [];
    const updated = await client.cluster.memberUpdate({ ID, peerURLs });
    await check(
      ['member', 'update', ID.toString(16), `--peer-urls=${peerURLs.join(',')}`],
      (printer) => printer.memberUpdate(ID, updated),
      ['simple', 'json', 'protobuf'],
    );
    // A learner does not count for the quorum, so that the member goes on alone.
    const peerUrls = 'http://127.0.0.2:1,http://127.0.0.2:2';
    const url = peerUrls.split(',');
    const added = await client.cluster.memberAdd({ peerURLs: url, isLearner: true });
    const learner = added.member?.ID ?? 0n;
    const removed = await client.cluster.memberRemove(learner);
    // Other URLs, because the same ones would get the same id within the same second.
    const theirUrls = 'http://127.0.0.3:1,http://127.0.0.3:2';
    const text = etcd.ctl(['member', 'add', 'l', '--learner', `--peer-urls=${theirUrls}`]);
    const theirId = /^Member +([0-9a-f]+) added/.exec(text.toString())?.[1] ?? '';
    // The order of the members is that of their ids, which depend on the clock.
    const anonymous = (output: Buffer) =>
      output
        .toString()
        .replace(/Member +[0-9a-f]+ /, 'Member ')
        .replaceAll('127.0.0.3', '127.0.0.2')
        .replace(/(?<=CLUSTER=")[^"]*/, (list) => list.split(',').sort().join());
    const simple = await createPrinter('simple', false);
    // 3.6 and later say that it is a learner.
    const ours = anonymous(simple.memberAdd(added, { name: 'l', peerUrls }));
    expect(ours.replace(' as learner', '')).toBe(anonymous(text));
    expect(anonymous(simple.memberRemove(learner, removed))).toBe(
      anonymous(etcd.ctl(['member', 'remove', theirId])),
    );
  });

  it('prints status and hashes', async () => {
    const json = await createPrinter('json', false);
    const simple = await createPrinter('simple', false);
    const ask = async () => [
      { endpoint: etcd.endpoint, status: await client.maintenance.status() },
    ];
    // A commit of the backend in between changes the sizes: ask again until none was.
    await expect
      .poll(async () => {
        const before = await ask();
        const theirs = [
          etcd.ctl(['endpoint', 'status', '-w', 'json']).toString(),
          etcd.ctl(['endpoint', 'status']).toString(),
        ];
        const ours = simple.endpointStatus(before).toString().trimEnd().split(', ');
        const common = [0, 1, 2, 4, 8, 9, 10, 11, 12, 13].map((column) => ours[column]);
        const same =
          json.endpointStatus(before).toString() === theirs[0] &&
          `${common.join(', ')}\n` === theirs[1];
        return same ? 'same' : [json.endpointStatus(before).toString(), common, theirs];
      })
      .toBe('same');
    const hashKv = await client.maintenance.hashKv(0);
    const hashes = [{ endpoint: etcd.endpoint, hashKv }];
    expect(json.endpointHashKv(hashes).toString()).toBe(
      etcd.ctl(['endpoint', 'hashkv', '-w', 'json']).toString(),
    );
  });

  it('prints roles and users', async () => {
    await client.auth.roleAdd('r');
    const { READ, WRITE, READWRITE } = Permission_Type;
    const grant = (permType: Permission_Type, key: string, rangeEnd: Buffer) =>
      client.auth.roleGrantPermission('r', { permType, key: bytes(key), rangeEnd });
    await grant(READ, 'single', Buffer.alloc(0));
    await grant(WRITE, 'a', bytes('c'));
    await grant(READWRITE, 'pre', bytes('prf'));
    await grant(READ, 'open', Buffer.from([0]));
    const role = await client.auth.roleGet('r');
    await check(['role', 'get', 'r'], (printer) => printer.roleGet('r', role));
    const roles = await client.auth.roleList();
    await check(['role', 'list'], (printer) => printer.roleList(roles));
    await client.auth.userAdd({ name: 'u', password: 'p' });
    await client.auth.userGrantRole('u', 'r');
    const user = await client.auth.userGet('u');
    await check(['user', 'get', 'u'], (printer) => printer.userGet('u', user), [
      'simple',
      'json',
      'protobuf',
    ]);
    const users = await client.auth.userList();
    await check(['user', 'list'], (printer) => printer.userList(users), [
      'simple',
      'json',
      'protobuf',
    ]);
  });

  it('prints alarms', async () => {
    const alarm = AlarmType.NOSPACE;
    const memberID = 0x8211_f1d0_f64f_3269n;
    await client.maintenance.alarm({
      action: AlarmRequest_AlarmAction.ACTIVATE,
      memberID,
      alarm,
    });
    const response = await client.maintenance.alarmList();
    // Up to 3.6 the text ends with a space.
    const adapt = (text: string) => text.replace(/ \n/g, '\n');
    await check(['alarm', 'list'], (printer) => printer.alarm(response), ['simple', 'json'], adapt);
    const disarmed = await client.maintenance.alarmDisarmAll();
    expect((await createPrinter('json', false)).alarm(disarmed).toString()).toBe(
      `{"alarms":[{"memberID":${memberID},"alarm":1}]}\n`,
    );
  });

  it('throws for formats that a result does not have', async () => {
    const table = await createPrinter('table', false);
    const response = await client.kv.range({ key: bytes('x') });
    expect(() => table.get(response)).toThrow('table not supported as output format');
    const fields = await createPrinter('fields', false);
    const added = { name: 'n', peerUrls: '' };
    const answer = { header: undefined, member: undefined, members: [] };
    expect(() => fields.memberAdd(answer, added)).toThrow('fields not supported as output format');
    const protobuf = await createPrinter('protobuf', false);
    expect(() => protobuf.endpointStatus([])).toThrow('protobuf not supported as output format');
  });
});

/** A table of 3.7 as 3.4 to 3.6 draw it. */
function asciiTable(box: string): string {
  return box
    .replace(/[┌┬┐├┼┤└┴┘]/g, '+')
    .replaceAll('─', '-')
    .replaceAll('│', '|');
}
