import {
  AlarmRequest,
  AlarmType,
  AuthDisableRequest,
  AuthenticateRequest,
  CompactionRequest,
  Compare,
  type Compare_CompareResult,
  type Compare_CompareTarget,
  DefragmentRequest,
  DeleteRangeRequest,
  HashKVRequest,
  LeaseGrantRequest,
  LeaseLeasesRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
  MemberListRequest,
  MoveLeaderRequest,
  PutRequest,
  RangeRequest,
  type RangeRequest_SortOrder,
  type RangeRequest_SortTarget,
  type RequestOp,
  StatusRequest,
  TxnRequest,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { HealthCheckRequest } from '../../src/proto/gen/health/v1/health.js';
import type { Encoder } from './raw-client.js';
import { compact, del, grant, put, putLeased, type Step } from './steps.js';

/** A unary call, whatever a client would let through. */
export interface RawRequest {
  readonly name: string;
  /** `<package>.<Service>/<Method>` */
  readonly method: string;
  readonly bytes: Uint8Array;
  readonly setup: readonly Step[];
  /** What 3.7 answers instead, with the place in the reference. */
  readonly differs?: { readonly because: string; readonly answer: string };
  /** What is compared of the answer; default: all of it. */
  readonly compare?: 'status';
}

type Extras = Partial<Pick<RawRequest, 'setup' | 'differs' | 'compare'>>;

const NOTHING = new Uint8Array();

function call(name: string, method: string, bytes: Uint8Array, extras: Extras = {}): RawRequest {
  return { name, method, bytes, setup: [], ...extras };
}

/** A factory for the requests of one method. */
function requests<Message extends object>(
  method: string,
  codec: Encoder<Message> & { create(fields?: Partial<Message>): Message },
) {
  return (name: string, fields: Partial<Message>, extras?: Extras): RawRequest => {
    const bytes = codec.encode(codec.create(fields)).finish();
    return call(`${method}: ${name}`, `etcdserverpb.${method}`, bytes, extras);
  };
}

const text = (value: string): Buffer => Buffer.from(value);
const FROM_KEY = Buffer.from([0]);
const A = text('a');
const Z = text('z');

const LETTERS = [put('a', '3'), put('b', '1'), put('c', '2'), put('b', '11'), put('d', '0')];
const COMPACTED = [...LETTERS, compact(1)];

const range = requests('KV/Range', RangeRequest);
const sorted = (order: number, target: number, limit = 0): Partial<RangeRequest> => ({
  key: A,
  rangeEnd: Z,
  limit,
  sortOrder: order as RangeRequest_SortOrder,
  sortTarget: target as RangeRequest_SortTarget,
});
const INVALID_SORT = {
  because: 'api 19: an unknown sort order is an error since 3.6',
  answer: '3 etcdserver: invalid sort option',
};

const RANGES = [
  range('no key', {}),
  range('no key but an end', { rangeEnd: Z }),
  range('a reversed range', { key: Z, rangeEnd: A }, { setup: LETTERS }),
  range('an empty range', { key: A, rangeEnd: A }, { setup: LETTERS }),
  range('all keys', { key: FROM_KEY, rangeEnd: FROM_KEY }, { setup: LETTERS }),
  range('from a key', { key: text('b'), rangeEnd: FROM_KEY }, { setup: LETTERS }),
  range('a negative limit', { key: A, rangeEnd: Z, limit: -1 }, { setup: LETTERS }),
  range('a limit', { key: A, rangeEnd: Z, limit: 2 }, { setup: LETTERS }),
  range('a limit that is just enough', { key: A, rangeEnd: Z, limit: 4 }, { setup: LETTERS }),
  range('a negative revision', { key: A, revision: -5 }, { setup: LETTERS }),
  range('a future revision', { key: A, revision: 1_000_000 }),
  range('a compacted revision', { key: A, revision: 1 }, { setup: COMPACTED }),
  range('serializable', { key: A, serializable: true }, { setup: LETTERS }),
  range('a count', { key: A, rangeEnd: Z, countOnly: true, limit: 1 }, { setup: LETTERS }),
  range('keys', { key: A, rangeEnd: Z, keysOnly: true }, { setup: LETTERS }),
  range('keys by value', { ...sorted(2, 4), keysOnly: true }, { setup: LETTERS }),
  range('filters', { key: A, rangeEnd: Z, minModRevision: 3, maxCreateRevision: 1_000_000 }),
  range(
    'filters and a limit',
    { key: A, rangeEnd: Z, minCreateRevision: 1, limit: 2 },
    {
      setup: LETTERS,
    },
  ),
  // api 10.2: a target without an order sorts the first keys only.
  range('a target without an order', sorted(0, 4, 2), { setup: LETTERS }),
  range('values in falling order', sorted(2, 4, 2), { setup: LETTERS }),
  range('versions', sorted(1, 1, 3), { setup: LETTERS }),
  range('an unknown order', sorted(9, 0), { setup: LETTERS, differs: INVALID_SORT }),
  // An unknown target ends a real 3.4 with a panic.
];

const putCall = requests('KV/Put', PutRequest);
const BIG = 1_572_864;

const PUTS = [
  putCall('no key', { value: A }),
  putCall('no key and a value too many', { value: A, ignoreValue: true }),
  putCall('a value that is to be ignored', { key: A, value: A, ignoreValue: true }),
  putCall('a lease that is to be ignored', { key: A, lease: 1n, ignoreLease: true }),
  putCall('a value to keep of no key', { key: A, ignoreValue: true }),
  putCall('a lease to keep of no key', { key: A, ignoreLease: true }),
  putCall('no such lease', { key: A, lease: 1n }),
  putCall('a lease', { key: A, value: Z, lease: 1234n, prevKv: true }, { setup: [grant()] }),
  putCall('nothing but a key', { key: A }),
  putCall('the previous value', { key: A, value: Z, prevKv: true }, { setup: LETTERS }),
  putCall('what is too large', { key: A, value: Buffer.alloc(BIG) }),
  putCall('what is too large to read', { key: A, value: Buffer.alloc(BIG + 600_000) }),
];

const deletion = requests('KV/DeleteRange', DeleteRangeRequest);

const DELETIONS = [
  deletion('no key', {}),
  deletion('no such key', { key: A }),
  deletion('a reversed range', { key: Z, rangeEnd: A }, { setup: LETTERS }),
  deletion('all keys', { key: FROM_KEY, rangeEnd: FROM_KEY, prevKv: true }, { setup: LETTERS }),
];

const txn = requests('KV/Txn', TxnRequest);
const putOp = (key: Buffer, fields: Partial<PutRequest> = {}): RequestOp => ({
  request: { $case: 'requestPut', value: PutRequest.create({ key, ...fields }) },
});
const getOp = (key: Buffer, fields: Partial<RangeRequest> = {}): RequestOp => ({
  request: { $case: 'requestRange', value: RangeRequest.create({ key, ...fields }) },
});
const deleteOp = (key: Buffer, rangeEnd: Buffer = Buffer.alloc(0)): RequestOp => ({
  request: { $case: 'requestDeleteRange', value: DeleteRangeRequest.create({ key, rangeEnd }) },
});
const nested = (...success: RequestOp[]): RequestOp => ({
  request: { $case: 'requestTxn', value: TxnRequest.create({ success }) },
});
const compare = (fields: Partial<Compare>): Partial<TxnRequest> => ({
  compare: [Compare.create({ key: A, ...fields })],
  success: [putOp(text('yes'))],
  failure: [putOp(text('no'))],
});

const TXNS = [
  txn('nothing', {}),
  txn('too many operations', { success: Array.from({ length: 129 }, () => getOp(A)) }),
  txn('too many compares', {
    compare: Array.from({ length: 129 }, () => Compare.create({ key: A })),
  }),
  txn('a compare of no key', { compare: [Compare.create({})] }),
  txn('an operation that is none', { success: [{ request: undefined }] }),
  txn('an operation of no key', { failure: [putOp(Buffer.alloc(0))] }),
  txn('a key twice', { success: [putOp(A), putOp(A)] }),
  txn('a key twice where it fails', { failure: [putOp(A), putOp(A)] }),
  txn('a put and a deletion of the key', { success: [putOp(A), deleteOp(A)] }),
  txn('a put in a deleted range', { success: [deleteOp(A, Z), putOp(text('b'))] }),
  txn('a put beyond a deletion without end', { success: [deleteOp(A, FROM_KEY), putOp(Z)] }),
  txn('overlapping deletions', { success: [deleteOp(A, Z), deleteOp(A)] }, { setup: LETTERS }),
  txn('a nested put, then its deletion', { success: [nested(putOp(A)), nested(deleteOp(A))] }),
  txn('a nested deletion, then its put', { success: [nested(deleteOp(A)), nested(putOp(A))] }),
  txn('nested put and put', { success: [nested(putOp(A)), putOp(A)] }),
  txn('nested reads', { success: [nested(getOp(A)), getOp(A)] }, { setup: LETTERS }),
  txn('a read after a write', { success: [getOp(A), putOp(A), getOp(A)] }, { setup: LETTERS }),
  txn('a future revision', { success: [putOp(A), getOp(A, { revision: 1_000_000 })] }),
  txn('a compacted revision', { success: [getOp(A, { revision: 1 })] }, { setup: COMPACTED }),
  txn(
    'a negative revision',
    { success: [putOp(Z), getOp(A, { revision: -1 })] },
    {
      setup: COMPACTED,
    },
  ),
  txn('no such lease', { success: [putOp(A), putOp(Z, { lease: 1n })] }),
  txn('a value to keep of no key', { success: [putOp(A, { ignoreValue: true })] }),
  txn('a value of no key', compare({ target: 3, targetUnion: { $case: 'value', value: A } })),
  txn('another value of no key', compare({ result: 3, target: 3 })),
  txn('a version of no key', compare({ target: 0 })),
  txn('a range', compare({ rangeEnd: Z, result: 1, target: 0 }), { setup: LETTERS }),
  txn('an empty range', compare({ rangeEnd: Z, target: 1 })),
  txn('a lease', compare({ target: 4, targetUnion: { $case: 'lease', value: 1234n } }), {
    setup: [grant(), putLeased('a', 'v')],
  }),
  txn(
    'another member than the target',
    compare({ target: 3, targetUnion: { $case: 'version', value: 1 } }),
    {
      setup: LETTERS,
    },
  ),
  txn('an unknown target', compare({ target: 9 as Compare_CompareTarget }), { setup: LETTERS }),
  txn('an unknown result', compare({ result: 9 as Compare_CompareResult }), { setup: LETTERS }),
];

const compaction = requests('KV/Compact', CompactionRequest);
const leaseGrant = requests('Lease/LeaseGrant', LeaseGrantRequest);
const leaseRevoke = requests('Lease/LeaseRevoke', LeaseRevokeRequest);
const timeToLive = requests('Lease/LeaseTimeToLive', LeaseTimeToLiveRequest);
const leases = requests('Lease/LeaseLeases', LeaseLeasesRequest);

const LEASES_AND_COMPACTIONS = [
  compaction('zero', {}, { setup: COMPACTED }),
  compaction('a negative revision', { revision: -1 }, { setup: COMPACTED }),
  compaction('a future revision', { revision: 1_000_000 }),
  leaseGrant('an id', { ID: 5n, TTL: 60 }),
  leaseGrant('a negative id', { ID: -5n, TTL: 60 }),
  leaseGrant('an id that is taken', { ID: 1234n, TTL: 60 }, { setup: [grant()] }),
  leaseGrant('no time', { ID: 5n }),
  leaseGrant('negative time', { ID: 5n, TTL: -60 }),
  leaseGrant('the longest time', { ID: 5n, TTL: 9_000_000_000 }),
  leaseGrant('too long a time', { ID: 5n, TTL: 9_000_000_001 }),
  leaseRevoke('no lease', {}),
  leaseRevoke('no such lease', { ID: 5n }),
  leaseRevoke('a lease with keys', { ID: 1234n }, { setup: [grant(), putLeased('k', 'v')] }),
  timeToLive('no such lease', { ID: 5n, keys: true }),
  leases('none', {}),
  leases('one', {}, { setup: [grant()] }),
];

const hashKv = requests('Maintenance/HashKV', HashKVRequest);
const alarm = requests('Maintenance/Alarm', AlarmRequest);

const OTHERS = [
  requests('Cluster/MemberList', MemberListRequest)('all', {}, { compare: 'status' }),
  hashKv('a future revision', { revision: 1_000_000 }),
  hashKv('a compacted revision', { revision: 1 }, { setup: [...LETTERS, del('a'), compact()] }),
  // To activate no alarm, or to do what is unknown, ends a real 3.4 with a panic.
  alarm(
    'deactivate what is not active',
    { action: 2, alarm: AlarmType.NOSPACE },
    { compare: 'status' },
  ),
  requests('Maintenance/Status', StatusRequest)('all', {}, { compare: 'status' }),
  requests('Maintenance/Defragment', DefragmentRequest)('all', {}),
  requests('Maintenance/MoveLeader', MoveLeaderRequest)('nobody', {}),
  requests('Maintenance/MoveLeader', MoveLeaderRequest)('a stranger', { targetID: 5n }),
  requests('Auth/Authenticate', AuthenticateRequest)('while it is off', {
    name: 'a',
    password: 'b',
  }),
  requests('Auth/AuthDisable', AuthDisableRequest)('while it is off', {}),
  call('an unknown method', 'etcdserverpb.KV/Bogus', NOTHING),
  call('an unknown service', 'etcdserverpb.Bogus/Range', NOTHING),
  call('no service', 'bogus', NOTHING, {
    differs: {
      because: 'the gRPC library of 3.7 says Unimplemented, that of 3.4 ResourceExhausted',
      answer: '12 malformed method name: "/bogus"',
    },
  }),
  call('an unknown field', 'etcdserverpb.KV/Range', Buffer.from('0a0161fa7f0178', 'hex')),
  call('a message that is none', 'etcdserverpb.KV/Range', Buffer.from('0aff', 'hex'), {
    compare: 'status',
  }),
  call(
    'health of the server',
    'grpc.health.v1.Health/Check',
    HealthCheckRequest.encode(HealthCheckRequest.create({})).finish(),
  ),
  call(
    'health of a service that is none',
    'grpc.health.v1.Health/Check',
    HealthCheckRequest.encode(HealthCheckRequest.create({ service: 'bogus' })).finish(),
  ),
];

export const RAW_REQUESTS: readonly RawRequest[] = [
  ...RANGES,
  ...PUTS,
  ...DELETIONS,
  ...TXNS,
  ...LEASES_AND_COMPACTIONS,
  ...OTHERS,
];
