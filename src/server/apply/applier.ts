import { etcdError } from '../../proto/errors.js';
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type AlarmMember,
  type AlarmRequest,
  AlarmType,
  type LeaseCheckpointRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { ONE_KEY } from '../../storage/mvcc/key-range.js';
import type { MvccStore } from '../../storage/mvcc/store.js';
import type { AlarmStore } from '../alarm/alarm-store.js';
import type { AuthStore } from '../auth/auth-store.js';
import type { Authorizer } from '../auth/authorizer.js';
import type { Caller } from '../auth/caller.js';
import type { Lessor } from '../lease/lessor.js';
import type { Cluster } from '../membership/cluster.js';
import { authHandlers } from './auth-handlers.js';
import { authorizeApplied } from './authorize.js';
import type { ConsistentIndex } from './consistent-index.js';
import { putCost, txnCost } from './kv/cost.js';
import { applyDeleteRange } from './kv/delete-range.js';
import { applyPut } from './kv/put.js';
import { applyTxn } from './kv/txn.js';
import { LEASE_GRANT_COST, type Quota } from './quota.js';
import type { AppliedKind, AuthKind, RequestOf, ResultOf, RevisionResult } from './requests.js';

export interface ReplicatedState {
  readonly store: MvccStore;
  readonly lessor: Lessor;
  readonly alarms: AlarmStore;
  readonly cluster: Cluster;
  readonly quota: Quota;
  readonly auth: AuthStore;
  readonly authorizer: Authorizer;
  readonly consistentIndex: Pick<ConsistentIndex, 'beforeEntry'>;
}

type Handlers<Kinds extends AppliedKind> = {
  readonly [Kind in Kinds]: (request: RequestOf<Kind>, isAwaited: boolean) => ResultOf<Kind>;
};

/** Kinds that a CORRUPT alarm stops (reference: semantics 4). */
const STOPPED_BY_CORRUPTION: ReadonlySet<AppliedKind> = new Set([
  'put',
  'deleteRange',
  'txn',
  'compaction',
  'leaseGrant',
  'leaseRevoke',
] as const);

/**
 * Carries out committed requests on the replicated state: the same request on the same state gives
 * the same result on every member. Order of the checks (reference: semantics 4): corruption alarm,
 * space alarm, rights, then quota around the change itself.
 * Trap: so somebody without any rights still learns of an alarm.
 */
export class Applier {
  readonly #state: ReplicatedState;
  readonly #handlers: Handlers<AppliedKind>;

  constructor(state: ReplicatedState) {
    this.#state = state;
    const { auth, consistentIndex } = state;
    this.#handlers = {
      ...this.#ownHandlers,
      ...authHandlers({
        auth,
        atRevision: () => this.#atRevision(),
        indexBefore: () => consistentIndex.beforeEntry,
      }),
    };
  }

  /**
   * @param caller who proposed the request
   * @param isAwaited whether somebody on this member waits for the result; if not, what only makes
   *   up an answer is left out
   * @throws EtcdError if the request is refused, with nothing changed; NoSpace alone may come after
   *   the change was made (Trap: a request that crosses the quota is carried out on every member
   *   although its client is told NoSpace; only later ones are refused).
   */
  apply<Kind extends AppliedKind>(
    kind: Kind,
    request: RequestOf<Kind>,
    caller: Caller,
    isAwaited: boolean,
  ): ResultOf<Kind> {
    const { alarms, quota, auth, authorizer } = this.#state;
    if (STOPPED_BY_CORRUPTION.has(kind) && alarms.has(AlarmType.CORRUPT)) {
      throw etcdError('Corrupt');
    }
    const cost = requestCost(kind, request);
    if (cost > 0 && alarms.has(AlarmType.NOSPACE)) throw etcdError('NoSpace');
    if (auth.enabled) authorizeApplied(authorizer, auth, kind, request, caller);
    const fits = quota.allows(cost);
    const result = this.#handlers[kind](request, isAwaited);
    if (!fits) throw etcdError('NoSpace');
    return result;
  }

  readonly #ownHandlers: Handlers<Exclude<AppliedKind, AuthKind>> = {
    put: (request) => applyPut(this.#state.store, request),
    deleteRange: (request) => applyDeleteRange(this.#state.store, request),
    txn: (request, isAwaited) => applyTxn(this.#state.store, request, isAwaited),
    compaction: ({ revision }) => {
      const finished = this.#state.store.compact(revision);
      return { revision: this.#state.store.currentRevision, finished };
    },
    leaseGrant: ({ ID, TTL }) => {
      const ttlSeconds = this.#state.lessor.grant(ID, TTL);
      return { ...this.#atRevision(), ttlSeconds };
    },
    leaseRevoke: ({ ID }) => {
      this.#revoke(ID);
      return this.#atRevision();
    },
    leaseCheckpoint: (request) => this.#checkpoint(request),
    alarm: (request) => ({ ...this.#atRevision(), alarms: this.#alarm(request) }),
    clusterVersionSet: ({ ver }) => {
      this.#state.cluster.setVersion(ver);
      return undefined;
    },
    clusterMemberAttrSet: ({ memberID, memberAttributes }) => {
      const { name = '', clientUrls = [] } = memberAttributes ?? {};
      this.#state.cluster.setAttributes(memberID, name, clientUrls);
      return undefined;
    },
    downgradeInfoSet: ({ enabled, ver }) => {
      this.#state.cluster.setDowngrade(enabled ? ver : undefined);
      return undefined;
    },
    downgradeVersionTest: () => undefined,
  };

  #atRevision(): RevisionResult {
    return { revision: this.#state.store.currentRevision };
  }

  #revoke(id: bigint): void {
    const { lessor, store } = this.#state;
    lessor.revoke(id, (keys) => {
      const transaction = store.write();
      for (const key of keys) transaction.deleteRange(key, ONE_KEY);
      transaction.end();
    });
  }

  /** All checkpoints of an entry up to the first unknown lease, whose error is the result. */
  #checkpoint({ checkpoints }: LeaseCheckpointRequest): RevisionResult {
    for (const { ID, remainingTTL } of checkpoints) {
      this.#state.lessor.checkpoint(ID, remainingTTL);
    }
    return this.#atRevision();
  }

  #alarm({ action, memberID, alarm }: AlarmRequest): readonly AlarmMember[] {
    const { alarms } = this.#state;
    switch (action) {
      case AlarmAction.GET:
        return alarms.list(alarm);
      case AlarmAction.ACTIVATE:
        return alarm === AlarmType.NONE ? [] : [alarms.activate(memberID, alarm)];
      case AlarmAction.DEACTIVATE: {
        const removed = alarms.deactivate(memberID, alarm);
        return removed === undefined ? [] : [removed];
      }
      default:
        return [];
    }
  }
}

/** What a request counts against the quota, bytes. */
function requestCost<Kind extends AppliedKind>(kind: Kind, request: RequestOf<Kind>): number {
  switch (kind) {
    case 'put':
      return putCost(request as RequestOf<'put'>);
    case 'txn':
      return txnCost(request as RequestOf<'txn'>);
    case 'leaseGrant':
      return LEASE_GRANT_COST;
    default:
      return 0;
  }
}
