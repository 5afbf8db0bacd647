import { type Counter, silentCounter } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import { EtcdError, type EtcdErrorName, etcdError, isEtcdError } from '../../proto/errors.js';
import { ConfChangeType } from '../../raft/confchange/conf-change.js';
import type { RaftStatus } from '../../raft/status.js';
import type { PeerCalls } from '../peer/peer-calls.js';
import type { PeerTransport } from '../peer/peer-transport.js';
import { additionContext, promotionContext, updateContext } from './change-context.js';
import type { Cluster } from './cluster.js';
import { memberId } from './identity.js';
import { refusalOfReadiness } from './learner-readiness.js';
import type { Member } from './member.js';
import {
  refusalToAddMember,
  refusalToPromoteMember,
  refusalToRemoveMember,
} from './reconfiguration-check.js';

/** How long the leader waits until all that is committed is applied, ms. */
const APPLY_TIMEOUT_MILLIS = 1000;
/** Time until a leader that did not answer is asked again, ms. */
const FORWARD_RETRY_MILLIS = 50;
/** What the leader says of the learner, and not of its being able to answer. */
const FINAL_REFUSALS: readonly EtcdErrorName[] = [
  'MemberNotFound',
  'MemberNotLearner',
  'LearnerNotReady',
];

/** A change as it is proposed; its id is the member's business. */
export interface ProposedChange {
  readonly type: ConfChangeType;
  readonly nodeId: bigint;
  readonly context: Buffer;
}

/** What of the local member changes of the membership need. */
export interface AdministeredMember {
  readonly clock: Pick<Clock, 'monotonicMillis' | 'wallMillis' | 'setTimer'>;
  readonly cluster: Cluster;
  readonly transport: Pick<PeerTransport, 'activeSince'>;
  readonly calls: Pick<PeerCalls, 'promote'>;
  readonly isLeader: boolean;
  readonly leaderId: bigint;
  readonly requestTimeoutMillis: number;
  raftStatus(): RaftStatus;
  /** Resolves when all that is committed now is applied; rejects with TimeoutWaitAppliedIndex. */
  whenApplied(timeoutMillis: number): Promise<void>;
  /** Resolves with the members when the change is applied here; rejects with its refusal. */
  changeMembership(change: ProposedChange): Promise<readonly Member[]>;
}

export interface PromotionMetrics {
  readonly promoted: Counter;
  /** Takes the text of the refusal. */
  readonly notPromoted: (reason: string) => void;
}

export interface MembershipAdminOptions {
  readonly member: AdministeredMember;
  /** `--strict-reconfig-check`. */
  readonly isStrict: boolean;
  readonly metrics?: PromotionMetrics;
}

/**
 * Changes of the membership as an operator asks for them (reference: raft-and-peers B6). Whether
 * somebody may ask is for the caller to find out.
 */
export class MembershipAdmin {
  readonly #member: AdministeredMember;
  readonly #options: MembershipAdminOptions;

  constructor(options: MembershipAdminOptions) {
    this.#member = options.member;
    this.#options = options;
  }

  /**
   * Adds a member that has not started.
   * @returns it, and all members
   * @throws EtcdError MemberNotEnoughStarted, Unhealthy, PeerURLExist, MemberExist,
   *   TooManyLearners, or an error of a proposal
   */
  async add(
    peerUrls: readonly string[],
    isLearner: boolean,
  ): Promise<{ readonly member: Member; readonly members: readonly Member[] }> {
    const { isStrict } = this.#options;
    const refusal = isStrict ? refusalToAddMember(this.#view(), isLearner) : undefined;
    if (refusal !== undefined) throw refusal;
    const sorted = [...peerUrls].sort();
    const unixSeconds = Math.floor(this.#member.clock.wallMillis() / 1000);
    // The time, so that a member with the URLs of one that was removed is another.
    const id = memberId(sorted, '', unixSeconds);
    const member: Member = { id, peerUrls: sorted, isLearner, name: '', clientUrls: [] };
    const members = await this.#member.changeMembership({
      type: isLearner ? ConfChangeType.AddLearnerNode : ConfChangeType.AddNode,
      nodeId: id,
      context: additionContext(member),
    });
    return { member, members };
  }

  /** @throws EtcdError MemberNotEnoughStarted, Unhealthy, MemberNotFound, or of a proposal */
  async remove(id: bigint): Promise<readonly Member[]> {
    const { isStrict } = this.#options;
    const refusal = isStrict ? refusalToRemoveMember(this.#view(), id) : undefined;
    if (refusal !== undefined) throw refusal;
    const change = { type: ConfChangeType.RemoveNode, nodeId: id, context: Buffer.alloc(0) };
    return this.#member.changeMembership(change);
  }

  /**
   * Gives a member other peer URLs.
   * @throws EtcdError MemberNotFound, PeerURLExist, or of a proposal
   */
  async update(id: bigint, peerUrls: readonly string[]): Promise<readonly Member[]> {
    const { isLearner = false } = this.#member.cluster.member(id) ?? {};
    return this.#member.changeMembership({
      type: ConfChangeType.UpdateNode,
      nodeId: id,
      context: updateContext({ id, isLearner }, peerUrls),
    });
  }

  /**
   * Makes a voter of a learner: here, if this member leads, else by asking the leader until it
   * answers.
   * @param authorization the caller's token, for the leader to judge
   * @throws EtcdError MemberNotFound, MemberNotLearner, LearnerNotReady, MemberNotEnoughStarted,
   *   TimeoutWaitAppliedIndex, Timeout, NoLeader, Canceled, or of a proposal
   */
  async promote(
    id: bigint,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly Member[]> {
    const { clock, cluster, requestTimeoutMillis } = this.#member;
    const deadline = clock.monotonicMillis() + requestTimeoutMillis;
    for (;;) {
      const promoted = await this.#promoteAsLeader(id);
      if (promoted !== undefined) return promoted;
      if (signal.aborted) throw etcdError('Canceled');
      const { leaderId } = this.#member;
      const leader = leaderId === cluster.localMemberId ? undefined : cluster.member(leaderId);
      const remaining = deadline - clock.monotonicMillis();
      if (remaining <= 0) throw etcdError(leader === undefined ? 'NoLeader' : 'Timeout');
      const answer =
        leader && (await this.#askLeader(leader.peerUrls, id, authorization, remaining));
      if (answer !== undefined) return answer;
      // Trap: a leader that has just heard of another says so before it counts as none: without a
      // pause it would ask itself time and again, and nothing else would have its turn.
      await this.#pause(FORWARD_RETRY_MILLIS);
    }
  }

  /** Undefined: this member does not lead. */
  async #promoteAsLeader(id: bigint): Promise<readonly Member[] | undefined> {
    const { metrics, isStrict } = this.#options;
    const member = this.#member;
    if (!member.isLeader) return undefined;
    try {
      await member.whenApplied(APPLY_TIMEOUT_MILLIS);
      const refusal =
        refusalOfReadiness(member.raftStatus(), id) ??
        (isStrict ? refusalToPromoteMember(member.cluster.members()) : undefined);
      if (refusal !== undefined) throw refusal;
      const members = await member.changeMembership({
        type: ConfChangeType.AddNode,
        nodeId: id,
        context: promotionContext(id),
      });
      (metrics?.promoted ?? silentCounter).inc();
      return members;
    } catch (error) {
      if (isEtcdError(error, 'NotLeader')) return undefined;
      metrics?.notPromoted(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** Undefined: it could not be reached or leads no longer; the next one may answer. */
  async #askLeader(
    peerUrls: readonly string[],
    id: bigint,
    authorization: string | undefined,
    timeoutMillis: number,
  ): Promise<readonly Member[] | undefined> {
    try {
      return await this.#member.calls.promote(peerUrls, id, authorization, timeoutMillis);
    } catch (error) {
      if (error instanceof EtcdError && FINAL_REFUSALS.includes(error.reason)) throw error;
      return undefined;
    }
  }

  #pause(millis: number): Promise<void> {
    return new Promise((resolve) => this.#member.clock.setTimer(millis, resolve));
  }

  #view() {
    const { clock, cluster, transport } = this.#member;
    return {
      members: cluster.members(),
      localMemberId: cluster.localMemberId,
      activeSince: (id: bigint) => transport.activeSince(id),
      now: clock.monotonicMillis(),
    };
  }
}
