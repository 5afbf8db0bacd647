import { describe, expect, it } from 'vitest';
import { createPrinter } from '../../../src/cli/printers/create-printer.js';
import { outputFormat } from '../../../src/cli/printers/output-format.js';
import type { EndpointStatus } from '../../../src/cli/printers/printer.js';
import type { WatchUpdate } from '../../../src/client/watcher.js';
import {
  Member,
  ResponseHeader,
  StatusResponse,
  TxnResponse,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';

const CLUSTER = 0x04bd_d3a8_f9af_d5a1n;
const header = ResponseHeader.create({
  clusterId: CLUSTER,
  memberId: 0x8e9e_05c5_2164_694dn,
  raftTerm: 5,
});
const simple = await createPrinter('simple', false);
const json = await createPrinter('json', false);
const fields = await createPrinter('fields', false);
const table = await createPrinter('table', false);

const text = (output: Buffer): string => output.toString();

const member = Member.create({
  ID: 0xa012_3456_789a_bcden,
  name: '<m&1>',
  peerURLs: ['http://10.0.0.1:2380'],
  clientURLs: ['http://10.0.0.1:2379'],
});

function status(fieldsOfStatus: Partial<StatusResponse>): EndpointStatus {
  return {
    endpoint: '127.0.0.1:2379',
    status: StatusResponse.create({ header, ...fieldsOfStatus }),
  };
}

const fullStatus = status({
  version: '3.7.1',
  storageVersion: '3.7.0',
  dbSize: 98_304,
  dbSizeInUse: 98_304,
  dbSizeQuota: 2_147_483_648,
  leader: header.memberId,
  raftTerm: 5,
  raftIndex: 20,
  raftAppliedIndex: 20,
});

const canceled: WatchUpdate = {
  header: undefined,
  events: [],
  compactRevision: 7,
  canceled: true,
  created: false,
  cancelReason: '',
  error: undefined,
};

describe('endpoint status', () => {
  it('joins the sixteen columns of 3.7', () => {
    expect(text(simple.endpointStatus([fullStatus]))).toBe(
      '127.0.0.1:2379, 8e9e05c52164694d, 3.7.1, 3.7.0, 98 kB, 98 kB, 0%, 2.1 GB, true, false, 5, 20, 20, , , false\n',
    );
  });

  it('survives a server that tells no size', () => {
    expect(text(simple.endpointStatus([status({})]))).toContain(', 0 B, 0 B, 0%, 0 B, false,');
  });

  it('rounds sizes half to even', () => {
    expect(
      text(simple.endpointStatus([status({ dbSize: 20_480, dbSizeInUse: 16_384 })])),
    ).toContain(', 20 kB, 16 kB, 20%, ');
  });

  it('prints fields in the order of 3.7', () => {
    expect(text(fields.endpointStatus([status({ errors: ['a', 'b'] })]))).toBe(
      [
        `"ClusterID" : ${CLUSTER}`,
        '"MemberID" : 10276657743932975437',
        '"RaftTerm" : 5',
        '"Version" : ""',
        '"StorageVersion" : ""',
        '"DBSize" : 0',
        '"DBSizeInUse" : 0',
        '"DBSizeQuota" : 0',
        '"Leader" : 0',
        '"IsLearner" : false',
        '"RaftIndex" : 0',
        '"RaftTerm" : 0',
        '"RaftAppliedIndex" : 0',
        '"Errors" : [a b]',
        '"Endpoint" : "127.0.0.1:2379"',
        '"DowngradeTargetVersion" : ""',
        '"DowngradeEnabled" : false',
        '',
        '',
      ].join('\n'),
    );
  });

  it('prints null for an empty list', () => {
    expect(text(json.endpointStatus([]))).toBe('null\n');
    expect(text(json.endpointHashKv([]))).toBe('null\n');
  });
});

describe('tables', () => {
  it('centres headers, aligns cells right and draws no line between rows', () => {
    const hashes = [1084519789, 7].map((hash, index) => ({
      endpoint: index === 0 ? '127.0.0.1:29471' : 'b:1',
      hashKv: { header: undefined, hash, compactRevision: -1, hashRevision: 1 },
    }));
    expect(text(table.endpointHashKv(hashes))).toBe(
      [
        '┌─────────────────┬────────────┬───────────────┐',
        '│    ENDPOINT     │    HASH    │ HASH REVISION │',
        '├─────────────────┼────────────┼───────────────┤',
        '│ 127.0.0.1:29471 │ 1084519789 │             1 │',
        '│             b:1 │          7 │             1 │',
        '└─────────────────┴────────────┴───────────────┘',
        '',
      ].join('\n'),
    );
  });

  it('keeps empty cells', () => {
    const rows = text(table.endpointStatus([fullStatus])).split('\n');
    expect(rows[3]?.split('│')).toHaveLength(18);
    expect(rows[3]).toContain('│        │');
  });
});

describe('members', () => {
  it('pads ids with spaces in sentences', () => {
    const response = {
      header,
      member,
      members: [member, Member.create({ ID: 1n, peerURLs: ['u'] })],
    };
    expect(
      text(simple.memberAdd(response, { name: 'new', peerUrls: 'http://10.0.0.1:2380' })),
    ).toBe(
      [
        'Member a0123456789abcde added to cluster  4bdd3a8f9afd5a1',
        '',
        'ETCD_NAME="new"',
        'ETCD_INITIAL_CLUSTER="new=http://10.0.0.1:2380,=u"',
        'ETCD_INITIAL_ADVERTISE_PEER_URLS="http://10.0.0.1:2380"',
        'ETCD_INITIAL_CLUSTER_STATE="existing"',
        '',
      ].join('\n'),
    );
    const removed = { header, members: [] };
    expect(text(simple.memberRemove(0xabcn, removed))).toBe(
      'Member              abc removed from cluster  4bdd3a8f9afd5a1\n',
    );
  });

  it('says learner and unstarted', () => {
    const learner = Member.create({ ID: 2n, isLearner: true, peerURLs: ['a', 'b'] });
    const added = { header, member: learner, members: [learner] };
    const [sentence] = text(simple.memberAdd(added, { name: 'l', peerUrls: 'a,b' })).split('\n');
    expect(sentence).toBe('Member                2 added as learner to cluster  4bdd3a8f9afd5a1');
    expect(text(simple.memberList({ header, members: [learner] }))).toBe(
      '2, unstarted, , a,b, , true\n',
    );
  });

  it('writes ids as exact numbers, escapes HTML, leaves zeros out', () => {
    expect(text(json.memberList({ header, members: [member] }))).toBe(
      '{"header":{"cluster_id":341661869447042465,"member_id":10276657743932975437,"raft_term":5},' +
        '"members":[{"ID":11534339141644500190,"name":"\\u003cm\\u00261\\u003e",' +
        '"peerURLs":["http://10.0.0.1:2380"],"clientURLs":["http://10.0.0.1:2379"]}]}\n',
    );
  });

  it('writes ids in hex with --hex', async () => {
    const hexJson = await createPrinter('json', true);
    expect(text(hexJson.memberRemove(1n, { header, members: [] }))).toBe(
      '{"header":{"cluster_id":"4bdd3a8f9afd5a1","member_id":"8e9e05c52164694d","raft_term":5},"members":[]}\n',
    );
    const hexFields = await createPrinter('fields', true);
    expect(text(hexFields.memberList({ header, members: [member] }))).toContain(
      '"ID" : a0123456789abcde\n',
    );
  });
});

describe('endpoint health', () => {
  const entries = [
    { endpoint: 'a:1', health: true, took: '1.5ms', error: '' },
    { endpoint: 'b:1', health: false, took: '5s', error: 'context deadline exceeded' },
  ];

  it('splits healthy and unhealthy over the streams in the simple form', () => {
    const { stdout, stderr } = simple.endpointHealth(entries);
    expect(text(stdout)).toBe('a:1 is healthy: successfully committed proposal: took = 1.5ms\n');
    expect(text(stderr)).toBe(
      'b:1 is unhealthy: failed to commit proposal: context deadline exceeded\n',
    );
  });

  it('prints all entries to stdout in the others', () => {
    expect(text(json.endpointHealth(entries).stdout)).toBe(
      '[{"endpoint":"a:1","health":true,"took":"1.5ms"},{"endpoint":"b:1","health":false,"took":"5s","error":"context deadline exceeded"}]\n',
    );
    expect(text(fields.endpointHealth(entries.slice(0, 1)).stdout)).toBe(
      '"Endpoint" : "a:1"\n"Health" : true\n"Took" : 1.5ms\n"Error" : \n\n',
    );
  });
});

describe('watch', () => {
  it('omits nothing at the top level of JSON', () => {
    expect(text(json.watch(canceled))).toBe(
      '{"Header":{},"Events":null,"CompactRevision":7,"Canceled":true,"Created":false,"CancelReason":""}\n',
    );
  });

  it('prints events with their previous values', () => {
    const update: WatchUpdate = {
      ...canceled,
      canceled: false,
      compactRevision: 0,
      header: ResponseHeader.create({ revision: 3 }),
      events: [
        {
          type: 1,
          kv: KeyValue.create({ key: Buffer.from('k'), modRevision: 3 }),
          prevKv: KeyValue.create({ key: Buffer.from('k'), value: Buffer.from('v') }),
        },
      ],
    };
    expect(text(simple.watch(update))).toBe('DELETE\nk\nv\nk\n\n');
    expect(text(json.watch(update))).toContain(
      '"Events":[{"type":1,"kv":{"key":"aw==","mod_revision":3},"prev_kv":{"key":"aw==","value":"dg=="}}]',
    );
  });
});

describe('other results', () => {
  it('prints the snapshot status, with the hash in hex and in decimal', () => {
    const snapshot = {
      hash: 0xcf1550fb,
      revision: 3,
      totalKey: 3,
      totalSize: 24_576,
      version: '3.7.0',
    };
    expect(text(simple.snapshotStatus(snapshot))).toBe('cf1550fb, 3, 3, 25 kB, 3.7.0\n');
    expect(text(json.snapshotStatus(snapshot))).toBe(
      '{"hash":3474280699,"revision":3,"totalKey":3,"totalSize":24576,"version":"3.7.0"}\n',
    );
    expect(text(fields.snapshotStatus(snapshot))).toBe(
      '"Hash" : 3474280699\n"Revision" : 3\n"Keys" : 3\n"Size" : 24576\n"Version" : 3.7.0\n',
    );
  });

  it('shows that root may do everything', () => {
    expect(text(simple.roleGet('root', { header, perm: [] }))).toBe(
      'Role root\nKV Read:\n\t[, <open ended>\nKV Write:\n\t[, <open ended>\n',
    );
  });

  it('says what was revoked', () => {
    const revoke = (key: string, rangeEnd: string): string =>
      text(
        simple.roleRevokePermission(
          'r',
          { key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd) },
          { header },
        ),
      );
    expect(revoke('k', '')).toBe('Permission of key k is revoked from role r\n');
    expect(revoke('k', 'l')).toBe('Permission of range [k, l) is revoked from role r\n');
    expect(revoke('k', '\0')).toBe('Permission of range [k, <open ended> is revoked from role r\n');
  });

  it('writes a header of its own for each operation of a transaction', () => {
    const response = TxnResponse.create({
      header: ResponseHeader.create({ clusterId: 1n, memberId: 2n, revision: 9, raftTerm: 3 }),
      succeeded: true,
      responses: [
        {
          response: {
            $case: 'responsePut',
            value: { header: ResponseHeader.create({ revision: 9 }), prevKv: undefined },
          },
        },
      ],
    });
    expect(text(json.txn(response))).toBe(
      '{"header":{"cluster_id":1,"member_id":2,"revision":9,"raft_term":3},"succeeded":true,' +
        '"responses":[{"Response":{"response_put":{"header":{"revision":9}}}}]}\n',
    );
    expect(text(fields.txn(response))).toBe(
      '"ClusterID" : 1\n"MemberID" : 2\n"Revision" : 9\n"RaftTerm" : 3\n"Succeeded" : true\n' +
        '"ClusterID" : 0\n"MemberID" : 0\n"Revision" : 9\n"RaftTerm" : 0\n',
    );
  });

  it('knows the formats', () => {
    expect(['simple', 'table'].map(outputFormat)).toEqual(['simple', 'table']);
    for (const other of ['yaml', '', undefined]) {
      expect(() => outputFormat(other)).toThrow('unsupported output format');
    }
  });
});
