import { type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { Permission_Type } from '../../../src/proto/gen/authpb/auth.js';
import {
  METHODS_BY_PATH,
  type RpcDefinition,
  type RpcKind,
  SERVICES,
} from '../../../src/proto/services.js';
import { type AuthCalls, errorName, hasOwnCode, signedToken } from '../../support/auth-calls.js';

/** What the server signs its tokens with. */
export const SECRET = 'known to the cluster';
const bytes = (text: string) => Buffer.from(text);
const { kv, watch, lease, cluster, maintenance, auth, lock, election, health } = SERVICES;

/** Keys that the limited user may read and write, and that only root may. */
const OWN = bytes('k1');
const FOREIGN = bytes('x1');
const OWN_LEASE = 8n;
const FOREIGN_LEASE = 7n;
const FUTURE = 1_000_000;
/** What a member advertises unless told otherwise. */
const OWN_PEER_URL = 'http://localhost:2380';

/**
 * What each caller gets: nobody, the limited user, root, root with a token from before a change of
 * the auth store, and a client whose certificate names no user there is. `ok`, or the name or text
 * of the error (reference: semantics 7.3 and 7.4, api 1 and 17.2).
 */
export type Row = readonly [
  definition: RpcDefinition<never, unknown, RpcKind>,
  request: Readonly<Record<string, unknown>>,
  nobody: string,
  limited: string,
  root: string,
  old: string,
  stranger: string,
];

const row = <Request>(
  definition: RpcDefinition<Request, unknown, RpcKind>,
  request: Partial<Request>,
  ...cells: [nobody: string, limited: string, root: string, old: string, stranger: string]
): Row => [definition as never, request, ...cells];

const forKeysBut = (outcome: string) =>
  ['UserEmpty', 'PermissionDenied', outcome, 'AuthOldRevision', 'PermissionDenied'] as const;
const forKeys = forKeysBut('ok');
const forOwnKeys = ['UserEmpty', 'ok', 'ok', 'AuthOldRevision', 'PermissionDenied'] as const;
/** Administrators may do this to any lease, so the revision of their token does not matter. */
const forLeases = ['UserEmpty', 'PermissionDenied', 'ok', 'ok', 'PermissionDenied'] as const;
const forOwnLeases = ['UserEmpty', 'ok', 'ok', 'ok', 'PermissionDenied'] as const;
/** A stranger has an identity too, even if nobody knows it. */
const forAnyUserBut = (outcome: string) =>
  ['UserEmpty', outcome, outcome, outcome, outcome] as const;
const forAnyUser = forAnyUserBut('ok');
const forAdmins = (outcome = 'ok') =>
  ['UserEmpty', 'PermissionDenied', outcome, outcome, 'UserNotFound'] as const;
/** What users may know of themselves. */
const forOneself = ['UserEmpty', 'ok', 'ok', 'ok', 'UserNotFound'] as const;
const forAll = (outcome = 'ok') => [outcome, outcome, outcome, outcome, outcome] as const;

const compare = { result: 0, target: 0, rangeEnd: bytes(''), targetUnion: undefined } as const;
const put = (key: Buffer): { request: { $case: 'requestPut'; value: never } } => ({
  request: {
    $case: 'requestPut',
    value: kv.put.request.create({ key }) as never,
  },
});
const nested = (key: Buffer) => ({
  request: {
    $case: 'requestTxn' as const,
    value: kv.txn.request.create({ failure: [put(key)] }),
  },
});
const watchOf = (key: Buffer, rangeEnd = bytes('')) => ({
  requestUnion: {
    $case: 'createRequest' as const,
    value: { ...WATCH_DEFAULTS, key, rangeEnd },
  },
});
const WATCH_DEFAULTS = {
  startRevision: 0,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0n,
  fragment: false,
};
const permission = { permType: Permission_Type.READ, key: bytes('a'), rangeEnd: bytes('') };
const leader = { name: bytes('x-election'), key: bytes('x-election/1'), rev: 1, lease: 1n };

export const ROWS: readonly Row[] = [
  row(kv.range, { key: FOREIGN }, ...forKeys),
  row(kv.range, { key: OWN }, ...forOwnKeys),
  row(kv.range, { key: OWN, serializable: true }, ...forOwnKeys),
  row(kv.range, { key: OWN, rangeEnd: bytes('\0') }, ...forKeys),
  row(kv.rangeStream, { key: FOREIGN }, ...forKeys),
  row(kv.rangeStream, { key: OWN }, ...forOwnKeys),
  row(kv.put, { key: FOREIGN }, ...forKeys),
  row(kv.put, { key: OWN }, ...forOwnKeys),
  row(kv.put, { key: OWN, lease: FOREIGN_LEASE }, ...forKeys),
  row(kv.put, { key: OWN, lease: OWN_LEASE }, ...forOwnKeys),
  row(kv.put, { key: bytes('w'), prevKv: true }, ...forKeys),
  row(kv.put, { key: bytes('w') }, ...forOwnKeys),
  row(kv.deleteRange, { key: bytes('x2') }, ...forKeys),
  row(kv.deleteRange, { key: bytes('k2'), prevKv: true }, ...forOwnKeys),
  row(kv.deleteRange, { key: bytes('w'), prevKv: true }, ...forKeys),
  row(kv.txn, { compare: [{ ...compare, key: FOREIGN }] }, ...forKeys),
  row(kv.txn, { compare: [{ ...compare, key: OWN }] }, ...forOwnKeys),
  row(kv.txn, { success: [put(OWN)], failure: [put(FOREIGN)] }, ...forKeys),
  row(kv.txn, { success: [nested(FOREIGN)] }, ...forKeys),
  row(kv.txn, { success: [nested(OWN)] }, ...forOwnKeys),
  row(kv.compact, { revision: FUTURE }, ...forAdmins('FutureRev')),
  row(watch.watch, watchOf(FOREIGN), ...forKeys),
  row(watch.watch, watchOf(OWN), ...forOwnKeys),
  row(watch.watch, watchOf(OWN, bytes('\0')), ...forKeys),
  row(lease.leaseGrant, { TTL: 100 }, ...forAnyUser),
  row(lease.leaseRevoke, { ID: 99n }, ...forAnyUserBut('LeaseNotFound')),
  // An empty cell: root's own call would end what the other rows need; the vectors have it.
  row(lease.leaseRevoke, { ID: FOREIGN_LEASE }, ...forKeysBut('')),
  row(lease.leaseTimeToLive, { ID: FOREIGN_LEASE }, ...forAnyUser),
  row(lease.leaseTimeToLive, { ID: FOREIGN_LEASE, keys: true }, ...forKeys),
  row(lease.leaseTimeToLive, { ID: OWN_LEASE, keys: true }, ...forOwnKeys),
  row(lease.leaseLeases, {}, ...forKeys),
  row(lease.leaseKeepAlive, { ID: FOREIGN_LEASE }, ...forLeases),
  row(lease.leaseKeepAlive, { ID: OWN_LEASE }, ...forOwnLeases),
  row(lease.leaseKeepAlive, { ID: 99n }, ...forAnyUser),
  row(cluster.memberList, {}, ...forAnyUser),
  row(cluster.memberAdd, { peerURLs: [OWN_PEER_URL] }, ...forAdmins('PeerURLExist')),
  row(cluster.memberRemove, { ID: 99n }, ...forAdmins('MemberNotFound')),
  row(cluster.memberUpdate, { ID: 99n }, ...forAdmins('MemberNotFound')),
  row(cluster.memberPromote, { ID: 99n }, ...forAdmins('MemberNotFound')),
  row(maintenance.alarm, {}, ...forAnyUser),
  row(maintenance.alarm, { action: 2, alarm: 1 }, ...forAdmins()),
  row(maintenance.status, {}, ...forAnyUser),
  row(maintenance.defragment, {}, ...forAdmins()),
  row(maintenance.hash, {}, ...forAdmins()),
  row(maintenance.hashKV, {}, ...forAdmins()),
  row(maintenance.snapshot, {}, ...forAdmins()),
  row(maintenance.moveLeader, { targetID: 1n }, ...forAdmins('BadLeaderTransferee')),
  row(maintenance.downgrade, { version: '3.6' }, ...forAdmins()),
  row(auth.authEnable, {}, ...forAdmins()),
  row(auth.authDisable, {}, ...forAdmins('')),
  row(auth.authStatus, {}, ...forAll()),
  row(auth.authenticate, { name: 'root', password: 'wrong' }, ...forAll('AuthFailed')),
  row(auth.userAdd, { name: 'root', password: 'x' }, ...forAdmins('UserAlreadyExist')),
  row(auth.userGet, { name: 'root' }, ...forAdmins()),
  row(auth.userGet, { name: 'limited' }, ...forOneself),
  row(auth.userList, {}, ...forAdmins()),
  row(auth.userDelete, { name: 'root' }, ...forAdmins('InvalidAuthMgmt')),
  row(auth.userChangePassword, { name: 'x', password: 'x' }, ...forAdmins('UserNotFound')),
  row(auth.userGrantRole, { user: 'x', role: 'x' }, ...forAdmins('UserNotFound')),
  row(auth.userRevokeRole, { name: 'x', role: 'x' }, ...forAdmins('UserNotFound')),
  row(auth.roleAdd, { name: 'own' }, ...forAdmins('RoleAlreadyExist')),
  row(auth.roleGet, { role: 'own' }, ...forOneself),
  row(auth.roleGet, { role: 'other' }, ...forAdmins()),
  row(auth.roleList, {}, ...forAdmins()),
  row(auth.roleDelete, { role: 'root' }, ...forAdmins('InvalidAuthMgmt')),
  row(auth.roleGrantPermission, { name: 'x', perm: permission }, ...forAdmins('RoleNotFound')),
  row(auth.roleRevokePermission, { role: 'x' }, ...forAdmins('RoleNotFound')),
  row(lock.lock, { name: bytes('x-lock'), lease: FOREIGN_LEASE }, ...forKeys),
  row(lock.unlock, { key: bytes('x-lock/1') }, ...forKeys),
  row(election.campaign, { name: leader.name, lease: FOREIGN_LEASE }, ...forKeys),
  row(election.proclaim, { leader }, ...forKeysBut('election: not leader')),
  row(election.leader, { name: leader.name }, ...forKeys),
  row(election.observe, { name: leader.name }, ...forKeys),
  row(election.resign, { leader }, ...forKeys),
  row(health.check, {}, ...forAll()),
  row(health.list, {}, ...forAll()),
  row(health.watch, {}, ...forAll()),
];

/** Health knows no users at all, and a log-in needs none. */
const NO_TOKEN_READ = /^\/grpc\.health\.|\/Authenticate$/;
/** Locks and elections answer everything with the code Unknown. */
const UNKNOWN_CODES = /^\/(v3lockpb|v3electionpb)\./;

/** The services' methods that no row is for. */
export function methodsWithoutRow(): string[] {
  const paths = new Set(ROWS.map(([{ path }]) => path));
  return [...METHODS_BY_PATH.keys()].filter((path) => !paths.has(path));
}

/** What to call the test of each row, and the row. */
export const NAMED_ROWS = ROWS.map((cells, index) => [index, cells[0].path, cells] as const);

/** What a row's call with a bad token comes to, whoever makes it. */
export function refusalOf(row: Row): string {
  const [{ path }, , , , root] = row;
  return NO_TOKEN_READ.test(path) ? root : 'InvalidAuthToken';
}

/** A token of that user; by default as the server would sign it now. */
export async function tokenOf(
  calls: AuthCalls,
  username: string,
  { age = 0, secret = SECRET, lifeSeconds = 60 } = {},
): Promise<string> {
  const { authRevision = 0 } = (await calls.call(auth.authStatus)) ?? {};
  const exp = Math.floor(Date.now() / 1000) + lifeSeconds;
  return signedToken(secret, { exp, revision: authRevision - age, username });
}

/** What a row's call comes to: `ok`, or the name or text of the error. */
export async function outcomeOf(
  calls: AuthCalls,
  [definition, request]: Row,
  token?: string,
): Promise<string> {
  try {
    const answer = await calls.call(definition, request as never, token);
    return watchRefusal(answer) ?? 'ok';
  } catch (thrown) {
    const error = thrown as ServiceError;
    if (UNKNOWN_CODES.test(definition.path)) expect(error.code).toBe(status.UNKNOWN);
    else expect(hasOwnCode(error), `${error.code} ${error.details}`).toBe(true);
    return error.code === status.UNIMPLEMENTED ? 'Unimplemented' : errorName(error);
  }
}

/** Root and a limited user, keys and leases of both. */
export async function setUp(calls: AuthCalls): Promise<void> {
  await calls.call(lease.leaseGrant, { ID: FOREIGN_LEASE, TTL: 1000 });
  await calls.call(lease.leaseGrant, { ID: OWN_LEASE, TTL: 1000 });
  await calls.call(kv.put, { key: bytes('x0'), lease: FOREIGN_LEASE });
  await calls.call(kv.put, { key: bytes('k0'), lease: OWN_LEASE });
  for (const key of [FOREIGN, OWN]) await calls.call(kv.put, { key });
  await calls.call(kv.put, { key: bytes('w') });
  await calls.call(auth.userAdd, { name: 'root', password: 'root password' });
  await calls.call(auth.userGrantRole, { user: 'root', role: 'root' });
  await calls.call(auth.userAdd, { name: 'limited', password: 'limited password' });
  await calls.call(auth.roleAdd, { name: 'own' });
  await calls.call(auth.roleAdd, { name: 'other' });
  const { READWRITE, WRITE } = Permission_Type;
  for (const [permType, key, rangeEnd] of [
    [READWRITE, 'k', 'l'],
    [WRITE, 'w', ''],
  ] as const) {
    const perm = { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) };
    await calls.call(auth.roleGrantPermission, { name: 'own', perm });
  }
  await calls.call(auth.userGrantRole, { user: 'limited', role: 'own' });
  await calls.call(auth.authEnable);
}

/** The name of the error that a watcher was refused with. */
function watchRefusal(answer: unknown): string | undefined {
  const { canceled, cancelReason } = (answer ?? {}) as {
    canceled?: boolean;
    cancelReason?: string;
  };
  if (canceled !== true) return undefined;
  const details = /desc = (.*)$/.exec(cancelReason ?? '')?.[1] ?? '';
  return errorName({ details } as ServiceError);
}
