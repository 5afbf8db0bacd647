import type { Clock } from '../../platform/clock.js';
import { type EtcdErrorName, etcdError, isEtcdError } from '../../proto/errors.js';
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from '../../proto/gen/etcdserverpb/rpc.js';
import { LeaseInternalRequest, LeaseInternalResponse } from '../../proto/gen/leasepb/lease.js';
import { decodeMembers, formatId, type Member } from '../membership/member.js';
import {
  PeerHttpClient,
  type PeerRequest,
  type PeerRequestOptions,
  type PeerResponse,
} from './http-client.js';
import type {
  LeaseTimeToLive,
  PeerCalls,
  PeerHash,
  PeerMembers,
  PeerVersion,
} from './peer-calls.js';
import { CLUSTER_ID_HEADER, PEER_PATHS, PEER_TEXTS } from './peer-paths.js';

/** Longest answer that is read. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Longest list of the keys of a lease. */
const MAX_LEASE_ANSWER_BYTES = 512 * 1024 * 1024;
/** How much of a strange answer an error repeats. */
const MAX_QUOTED_CHARACTERS = 200;

const PROTOBUF = { 'Content-Type': 'application/protobuf' };

export interface HttpPeerCallsOptions {
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly requestOptions: PeerRequestOptions;
  /** The own cluster, once it is known: peers that are asked for hashes check it. */
  readonly clusterId?: () => bigint | undefined;
}

type Question = Omit<PeerRequest, 'maxResponseBytes' | 'timeoutMillis'> & {
  readonly timeoutMillis: number;
  readonly maxResponseBytes?: number;
};

/** {@link PeerCalls} as etcd's members ask each other (reference: raft-and-peers B1). */
export class HttpPeerCalls implements PeerCalls {
  readonly #client: PeerHttpClient;
  readonly #clusterId: () => bigint | undefined;

  constructor({ clock, requestOptions, clusterId }: HttpPeerCallsOptions) {
    this.#client = new PeerHttpClient(clock, requestOptions);
    this.#clusterId = clusterId ?? (() => undefined);
  }

  members(peerUrls: readonly string[], timeoutMillis: number): Promise<PeerMembers> {
    const question: Question = { method: 'GET', path: PEER_PATHS.members, timeoutMillis };
    return this.#first(peerUrls, question, (response) => {
      requireOk(response);
      const clusterId = String(response.headers[CLUSTER_ID_HEADER.toLowerCase()] ?? '');
      if (!/^[0-9a-f]{1,16}$/i.test(clusterId)) {
        throw new Error(`${CLUSTER_ID_HEADER} is ${JSON.stringify(clusterId)}`);
      }
      return {
        clusterId: BigInt(`0x${clusterId}`),
        members: decodeMembers(response.body.toString()),
      };
    });
  }

  version(peerUrls: readonly string[], timeoutMillis: number): Promise<PeerVersion> {
    const question: Question = { method: 'GET', path: PEER_PATHS.version, timeoutMillis };
    return this.#first(peerUrls, question, (response) => {
      requireOk(response);
      const versions = jsonObject(response);
      return {
        server: text(versions.etcdserver),
        cluster: text(versions.etcdcluster),
        storage: text(versions.storage),
      };
    });
  }

  downgradeEnabled(peerUrls: readonly string[], timeoutMillis: number): Promise<boolean> {
    const question: Question = { method: 'GET', path: PEER_PATHS.downgradeEnabled, timeoutMillis };
    return this.#first(peerUrls, question, (response) => {
      // Trap: 3.4 does not know the question.
      if (response.status === 404) return false;
      requireOk(response);
      const answer = response.body.toString();
      if (answer !== 'true' && answer !== 'false') throw strangeAnswer(response);
      return answer === 'true';
    });
  }

  hashKeyValues(
    peerUrls: readonly string[],
    revision: number,
    timeoutMillis: number,
  ): Promise<PeerHash> {
    const clusterId = this.#clusterId();
    const question: Question = {
      method: 'GET',
      path: PEER_PATHS.hashKeyValues,
      headers: {
        'Content-Type': 'application/json',
        ...(clusterId === undefined ? {} : { [CLUSTER_ID_HEADER]: formatId(clusterId) }),
      },
      body: Buffer.from(revision === 0 ? '{}' : `{"revision":${revision}}`),
      timeoutMillis,
    };
    return this.#first(peerUrls, question, (response) => {
      refuseFor(response, 400, [
        [PEER_TEXTS.compacted, 'Compacted'],
        [PEER_TEXTS.futureRevision, 'FutureRev'],
      ]);
      refuseFor(response, 412, [[PEER_TEXTS.clusterIdMismatch, 'ClusterIDMismatch']]);
      requireOk(response);
      const answer = jsonObject(response);
      const header = (answer.header ?? {}) as Readonly<Record<string, unknown>>;
      return {
        revision: count(header.revision),
        hash: count(answer.hash),
        compactRevision: count(answer.compact_revision),
        hashRevision: answer.hash_revision === undefined ? undefined : count(answer.hash_revision),
      };
    });
  }

  renewLease(peerUrls: readonly string[], id: bigint, timeoutMillis: number): Promise<number> {
    const question: Question = {
      method: 'POST',
      path: PEER_PATHS.leases,
      headers: PROTOBUF,
      body: LeaseKeepAliveRequest.encode({ ID: id }).finish(),
      timeoutMillis,
    };
    return this.#first(peerUrls, question, (response) => {
      refuseForLease(response);
      const { ID, TTL } = LeaseKeepAliveResponse.decode(response.body);
      if (ID !== id) throw new Error('lease: renew id mismatch');
      return TTL;
    });
  }

  leaseTimeToLive(
    peerUrls: readonly string[],
    id: bigint,
    wantsKeys: boolean,
    timeoutMillis: number,
  ): Promise<LeaseTimeToLive> {
    const question: Question = {
      method: 'POST',
      path: PEER_PATHS.leasesInternal,
      headers: PROTOBUF,
      body: LeaseInternalRequest.encode({
        LeaseTimeToLiveRequest: { ID: id, keys: wantsKeys },
      }).finish(),
      timeoutMillis,
      maxResponseBytes: MAX_LEASE_ANSWER_BYTES,
    };
    return this.#first(peerUrls, question, (response) => {
      refuseForLease(response);
      const { LeaseTimeToLiveResponse: lease } = LeaseInternalResponse.decode(response.body);
      if (lease?.ID !== id) throw new Error('lease: renew id mismatch');
      return {
        id,
        ttlSeconds: lease.TTL,
        grantedTtlSeconds: lease.grantedTTL,
        keys: lease.keys.map((key) => Buffer.from(key)),
      };
    });
  }

  promote(
    peerUrls: readonly string[],
    id: bigint,
    authorization: string | undefined,
    timeoutMillis: number,
  ): Promise<readonly Member[]> {
    const question: Question = {
      method: 'POST',
      path: `${PEER_PATHS.promote}${id}`,
      headers: authorization === undefined ? {} : { Authorization: authorization },
      timeoutMillis,
    };
    return this.#first(peerUrls, question, (response) => {
      if (response.status === 408) throw etcdError('Timeout');
      if (response.status === 404) throw etcdError('MemberNotFound');
      refuseFor(response, 412, [
        [PEER_TEXTS.learnerNotReady, 'LearnerNotReady'],
        [PEER_TEXTS.memberNotLearner, 'MemberNotLearner'],
      ]);
      requireOk(response);
      return decodeMembers(response.body.toString());
    });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** The first answer; a refusal of the cluster is one, too. */
  async #first<Answer>(
    peerUrls: readonly string[],
    question: Question,
    read: (response: PeerResponse) => Answer,
  ): Promise<Answer> {
    const failures: string[] = [];
    for (const url of peerUrls) {
      try {
        const request = { maxResponseBytes: MAX_ANSWER_BYTES, ...question };
        return read(await this.#client.ask(url, request));
      } catch (error) {
        if (isFinal(error)) throw error;
        failures.push(`${url}${question.path}: ${error instanceof Error ? error.message : error}`);
      }
    }
    throw new Error(failures.join('; ') || 'there is no peer URL to ask');
  }
}

/** Whether another URL of the same member would say the same. */
const FINAL: readonly EtcdErrorName[] = [
  'Compacted',
  'FutureRev',
  'ClusterIDMismatch',
  'LeaseNotFound',
  'TimeoutWaitAppliedIndex',
  'NotPrimaryLessor',
  'MemberNotFound',
  'MemberNotLearner',
  'LearnerNotReady',
  'Timeout',
];

function isFinal(error: unknown): boolean {
  return FINAL.some((name) => isEtcdError(error, name));
}

/** @throws EtcdError if the answer is the refusal of a lease's question, Error if it is no answer */
function refuseForLease(response: PeerResponse): void {
  if (response.status === 408) throw etcdError('TimeoutWaitAppliedIndex');
  if (response.status === 404 && says(response, PEER_TEXTS.leaseNotFound)) {
    throw etcdError('LeaseNotFound');
  }
  for (const status of [400, 500]) {
    refuseFor(response, status, [[PEER_TEXTS.notPrimaryLessor, 'NotPrimaryLessor']]);
  }
  requireOk(response);
}

function refuseFor(
  response: PeerResponse,
  status: number,
  refusals: readonly (readonly [string, EtcdErrorName])[],
): void {
  if (response.status !== status) return;
  const refusal = refusals.find(([words]) => says(response, words));
  if (refusal !== undefined) throw etcdError(refusal[1]);
}

function says({ body }: PeerResponse, words: string): boolean {
  return body.toString().includes(words);
}

function requireOk(response: PeerResponse): void {
  if (response.status !== 200) throw strangeAnswer(response);
}

function strangeAnswer({ status, body }: PeerResponse): Error {
  const quoted = body.toString('utf8', 0, MAX_QUOTED_CHARACTERS).trim();
  return new Error(`unexpected answer ${status} ${JSON.stringify(quoted)}`);
}

function jsonObject(response: PeerResponse): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(response.body.toString());
  if (typeof value !== 'object' || value === null) throw strangeAnswer(response);
  return value as Readonly<Record<string, unknown>>;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Go leaves out what is 0. */
function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
