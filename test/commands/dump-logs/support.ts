import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { Request } from '../../../src/proto/gen/etcdserverpb/etcdserver.js';
import {
  InternalAuthenticateRequest,
  InternalRaftRequest,
} from '../../../src/proto/gen/etcdserverpb/raft_internal.js';
import {
  AlarmRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  CompactionRequest,
  DeleteRangeRequest,
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { ClusterVersionSetRequest } from '../../../src/proto/gen/membershippb/membership.js';
import { ConfChange } from '../../../src/proto/gen/raftpb/raft.js';
import type { EntryFields } from '../../../src/proto/hot/entry.js';
import { encodeWalIdentity } from '../../../src/storage/wal/record-types.js';
import { WalWriter } from '../../../src/storage/wal/writer.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

function request(id: bigint, fields: Partial<InternalRaftRequest>): Buffer {
  const header = { ID: id, username: '', authRevision: 0 };
  return InternalRaftRequest.encode(InternalRaftRequest.create({ header, ...fields })).finish();
}

function change(type: number, nodeId: bigint, context = ''): Buffer {
  const message = { id: 7n, type, nodeId, context: bytes(context) } as ConfChange;
  return ConfChange.encode(ConfChange.create(message)).finish();
}

/** A request to the v2 store as etcd up to 3.5 writes it: the flags always. */
function stored(fields: Partial<Request>): Buffer {
  const flags = { ID: 1n, Dir: false, Recursive: false, Time: 0n };
  return Request.encode(Request.create({ Path: '', Val: '', ...flags, ...fields })).finish();
}

const put = PutRequest.create({ key: bytes('a\x00b'), value: bytes('"v\n\xff') });
const long = `/long${'/part'.repeat(40)}`;

/** The data of one entry of each kind, and the row that it becomes. */
export const KINDS: readonly (readonly [type: 0 | 1 | 2, data: Buffer, text: string])[] = [
  [1, change(0, 0x8211n, '{"id":33297,"name":"m1"}'), 'conf\tmethod=ConfChangeAddNode id=8211'],
  [1, change(3, 2n), 'conf\tmethod=ConfChangeAddLearnerNode id=2'],
  [1, bytes('\x08'), 'conf\t???'],
  [0, Buffer.alloc(0), 'norm\t'],
  [0, stored({ Method: '' }), 'norm\tnoop'],
  [0, stored({ Method: 'QGET', Path: '/ü' }), 'norm\tmethod=QGET path="/ü"'],
  [
    0,
    stored({ Method: 'SYNC', Time: 1_500_000_000_120_000_000n }),
    'norm\tmethod=SYNC time="2017-07-14 02:40:00.12 +0000 UTC"',
  ],
  [
    0,
    stored({ Method: 'PUT', Path: long, Val: 'v'.repeat(128) }),
    `norm\tmethod=PUT path="${long.slice(0, 64)}"..."${long.slice(-64)}" val="${'v'.repeat(128)}"...""`,
  ],
  [
    0,
    request(9n, {
      range: RangeRequest.create({ key: bytes('k'), rangeEnd: bytes('l'), sortOrder: 2 }),
    }),
    'norm\theader:<ID:9 > range:<key:"k" range_end:"l" sort_order:DESCEND > ',
  ],
  [0, request(10n, { put }), 'norm\theader:<ID:10 > put:<key:"a\\000b" value:"\\"v\\n\\377" > '],
  [
    0,
    request(11n, { deleteRange: DeleteRangeRequest.create({ key: bytes('k'), prevKv: true }) }),
    'norm\theader:<ID:11 > delete_range:<key:"k" prev_kv:true > ',
  ],
  [
    0,
    request(12n, {
      txn: TxnRequest.create({
        compare: [
          {
            result: 0,
            target: 2,
            key: bytes('k'),
            rangeEnd: Buffer.alloc(0),
            targetUnion: { $case: 'modRevision', value: 0 },
          },
        ],
        success: [{ request: { $case: 'requestPut', value: put } }],
      }),
    }),
    'norm\theader:<ID:12 > txn:<compare:<target:MOD key:"k" mod_revision:0 > success:<request_put:<key:"a\\000b" value:"\\"v\\n\\377" > > > ',
  ],
  [
    0,
    request(13n, { compaction: CompactionRequest.create({ revision: 5 }) }),
    'norm\theader:<ID:13 > compaction:<revision:5 > ',
  ],
  [
    0,
    request(14n, { leaseGrant: LeaseGrantRequest.create({ TTL: 60, ID: 99n }) }),
    'norm\theader:<ID:14 > lease_grant:<TTL:60 ID:99 > ',
  ],
  [
    0,
    request(15n, { leaseRevoke: LeaseRevokeRequest.create({ ID: 99n }) }),
    'norm\theader:<ID:15 > lease_revoke:<ID:99 > ',
  ],
  [
    0,
    request(16n, {
      leaseCheckpoint: LeaseCheckpointRequest.create({
        checkpoints: [{ ID: 1n, remainingTTL: 2 }],
      }),
    }),
    'norm\theader:<ID:16 > lease_checkpoint:<checkpoints:<ID:1 remaining_TTL:2 > > ',
  ],
  [
    0,
    request(17n, { alarm: AlarmRequest.create({ action: 1, memberID: 3n, alarm: 1 }) }),
    'norm\theader:<ID:17 > alarm:<action:ACTIVATE memberID:3 alarm:NOSPACE > ',
  ],
  [
    0,
    request(18n, { authUserAdd: AuthUserAddRequest.create({ name: 'u', password: 'seen' }) }),
    'norm\theader:<ID:18 > auth_user_add:<name:"u" password:"seen" > ',
  ],
  [
    0,
    request(19n, {
      authUserChangePassword: AuthUserChangePasswordRequest.create({ name: 'u', password: 'hid' }),
    }),
    'norm\theader:<ID:19 > auth_user_change_password:<name:"u" password:"<value removed>" > ',
  ],
  [
    0,
    request(20n, {
      authRoleGrantPermission: AuthRoleGrantPermissionRequest.create({
        name: 'r',
        perm: { permType: 2, key: bytes('k'), rangeEnd: bytes('\x00') },
      }),
    }),
    'norm\theader:<ID:20 > auth_role_grant_permission:<name:"r" perm:<permType:READWRITE key:"k" range_end:"\\000" > > ',
  ],
  [
    0,
    request(21n, {
      authenticate: InternalAuthenticateRequest.create({ name: 'u', simpleToken: 'tok' }),
    }),
    'norm\theader:<ID:21 > authenticate:<name:"u" simple_token:"tok" > ',
  ],
  [
    0,
    request(22n, { clusterVersionSet: ClusterVersionSetRequest.create({ ver: '3.6.0' }) }),
    'norm\theader:<ID:22 > cluster_version_set:<ver:"3.6.0" > ',
  ],
  [0, bytes('?'), 'norm\t???'],
  // Nobody proposes it and no filter has a name for it.
  [2, Buffer.alloc(0), ''],
];

export const ENTRIES: readonly EntryFields[] = KINDS.map(([type, data], at) => ({
  type,
  term: 1 + (at >> 3),
  index: at + 1,
  data,
}));

/** The rows of {@link ENTRIES} whose index passes. */
export function rows(passes: (index: number) => boolean = () => true): string {
  return ENTRIES.map(({ term, index }, at) => [term, index, KINDS[at]?.[2] ?? ''] as const)
    .filter(([, index, text]) => text !== '' && passes(index))
    .map(([term, index, text]) => `${`${term}`.padStart(4)}\t${`${index}`.padStart(10)}\t${text}\n`)
    .join('');
}

/** Writes a data directory whose log holds {@link ENTRIES}. */
export async function writeLog(directory: string): Promise<string> {
  await mkdir(join(directory, 'member/snap'), { recursive: true });
  const identity = encodeWalIdentity({ memberId: 0x8211n, clusterId: 0xcdfn });
  const writer = await WalWriter.create(nodeFs, join(directory, 'member/wal'), identity, {
    clock: nodeClock,
    segmentBytes: 1 << 16,
  });
  await writer.save({ term: 3, vote: 0x8211n, commit: 20 }, ENTRIES);
  await writer.close();
  return directory;
}
