import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmResponse,
  type AlarmType,
  CompactionRequest,
  CompactionResponse,
  DefragmentRequest,
  DefragmentResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import type { RawClient } from './raw-client.js';

/** Prepares a server for an invocation, or acts on it while one runs. */
export type Step = (client: RawClient) => Promise<unknown>;

/** The lease of the setups, as command lines and outputs write it. */
export const LEASE = '00000000000004d2';
const LEASE_ID = 1234n;
/** What `http://127.0.0.1:2380` and the default token make. */
export const MEMBER_ID = 0xb71f75320dc06a6cn;
const DEFAULT_TTL_SECONDS = 600;
const EVERYTHING = Buffer.from([0]);

type Bytes = string | Buffer;

function putRequest(key: Bytes, value: Bytes, lease: bigint): PutRequest {
  return PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value), lease });
}

const sendPut = (client: RawClient, request: PutRequest): Promise<PutResponse> =>
  client.send('KV/Put', PutRequest, request, PutResponse);

export function put(key: Bytes, value: Bytes): Step {
  return (client) => sendPut(client, putRequest(key, value, 0n));
}

/** Puts a key under `LEASE`. */
export function putLeased(key: Bytes, value: Bytes): Step {
  return (client) => sendPut(client, putRequest(key, value, LEASE_ID));
}

export function del(key: Bytes): Step {
  const request = DeleteRangeRequest.create({ key: Buffer.from(key) });
  return (client) =>
    client.send('KV/DeleteRange', DeleteRangeRequest, request, DeleteRangeResponse);
}

/** Grants `LEASE`, or the given id. */
export function grant(ttl = DEFAULT_TTL_SECONDS, id = LEASE_ID): Step {
  const request = LeaseGrantRequest.create({ ID: id, TTL: ttl });
  return (client) =>
    client.send('Lease/LeaseGrant', LeaseGrantRequest, request, LeaseGrantResponse);
}

/** Revokes `LEASE`, or the given id. */
export function revoke(id = LEASE_ID): Step {
  const request = LeaseRevokeRequest.create({ ID: id });
  return (client) =>
    client.send('Lease/LeaseRevoke', LeaseRevokeRequest, request, LeaseRevokeResponse);
}

/** Compacts at the current revision, less `back`, and waits until it is done. */
export function compact(back = 0): Step {
  return async (client) => {
    const revision = (await currentRevision(client)) - back;
    const request = CompactionRequest.create({ revision, physical: true });
    return client.send('KV/Compact', CompactionRequest, request, CompactionResponse);
  };
}

/** Raises an alarm for the member that all servers here have (see `startServers`). */
export function raise(alarm: AlarmType, memberID = MEMBER_ID): Step {
  return (client) =>
    sendAlarm(client, { action: AlarmRequest_AlarmAction.ACTIVATE, memberID, alarm });
}

/** How many learners each server has had. */
const learnerCounts = new WeakMap<RawClient, number>();

/**
 * Adds a learner that never starts. Trap: added again within the second, one with the same URL
 * would have the same id, which was removed.
 */
export const addLearner: Step = (client) => {
  const count = (learnerCounts.get(client) ?? 0) + 1;
  learnerCounts.set(client, count);
  const peerURLs = [`http://127.0.0.1:${100 + count}`];
  const request = MemberAddRequest.create({ peerURLs, isLearner: true });
  return client.send('Cluster/MemberAdd', MemberAddRequest, request, MemberAddResponse);
};

/** Removes all members but the one that has started. */
const removeLearners: Step = async (client) => {
  for (const { ID } of await unstarted(client)) {
    const request = MemberRemoveRequest.create({ ID });
    await client.send('Cluster/MemberRemove', MemberRemoveRequest, request, MemberRemoveResponse);
  }
};

/** The id of the learner of the setups, as command lines write it. */
export async function learnerId(client: RawClient): Promise<string> {
  const [learner] = await unstarted(client);
  return (learner?.ID ?? 0n).toString(16);
}

async function unstarted(client: RawClient) {
  const request = MemberListRequest.create({});
  const method = 'Cluster/MemberList';
  const answer = await client.send(method, MemberListRequest, request, MemberListResponse);
  // Trap: to update a learner makes a voter of it in the lists of 3.4.
  return answer.members.filter(({ name }) => name === '');
}

/** Fills a server that has a small quota until it refuses the smallest value. */
export const fillUp: Step = async (client) => {
  for (const size of [100_000, 1_000, 0]) {
    await disarm(client);
    while (await isTaken(client, size));
  }
};

async function isTaken(client: RawClient, size: number): Promise<boolean> {
  try {
    await sendPut(client, putRequest(`fill${size}`, Buffer.alloc(size), 0n));
    return true;
  } catch (error) {
    if (String(error).includes('database space exceeded')) return false;
    throw error;
  }
}

const sendAlarm = (client: RawClient, partial: Partial<AlarmRequest>): Promise<AlarmResponse> =>
  client.send('Maintenance/Alarm', AlarmRequest, AlarmRequest.create(partial), AlarmResponse);

/** The revision that the store is at. Works whatever alarm is active. */
export async function currentRevision(client: RawClient): Promise<number> {
  const request = RangeRequest.create({ key: Buffer.from('no such key') });
  const { header } = await client.send('KV/Range', RangeRequest, request, RangeResponse);
  return Number(header?.revision ?? 0);
}

/** Takes away all alarms. */
export const disarm: Step = async (client) => {
  const { alarms } = await sendAlarm(client, { action: AlarmRequest_AlarmAction.GET });
  for (const { memberID, alarm } of alarms) {
    await sendAlarm(client, { action: AlarmRequest_AlarmAction.DEACTIVATE, memberID, alarm });
  }
};

/** Takes away all keys and leases. */
export const empty: Step = async (client) => {
  const all = DeleteRangeRequest.create({ key: EVERYTHING, rangeEnd: EVERYTHING });
  await client.send('KV/DeleteRange', DeleteRangeRequest, all, DeleteRangeResponse);
  const list = LeaseLeasesRequest.create({});
  const method = 'Lease/LeaseLeases';
  const { leases } = await client.send(method, LeaseLeasesRequest, list, LeaseLeasesResponse);
  for (const { ID } of leases) await revoke(ID)(client);
};

/** Makes room in a server that is full. */
export const clear: Step = async (client) => {
  await empty(client);
  await compact()(client);
  const request = DefragmentRequest.create({});
  await client.send('Maintenance/Defragment', DefragmentRequest, request, DefragmentResponse);
  await disarm(client);
};

/** Writes at least once, until the store is at `revision`, and takes all keys, leases and learners away: a revision more. */
export async function advanceTo(client: RawClient, revision: number): Promise<void> {
  await disarm(client);
  await removeLearners(client);
  for (let at = await currentRevision(client); at < revision; at++) await put('pad', '')(client);
  await empty(client);
}
