import { type EtcdError, etcdError } from '../../proto/errors.js';
import type { Member } from './member.js';

/** How long a member must have been connected to count on it, ms. */
export const HEALTH_INTERVAL_MILLIS = 5000;

/** What a member knows of the others when it is asked to change the membership. */
export interface MembershipView {
  readonly members: readonly Member[];
  readonly localMemberId: bigint;
  /** Since when another member is connected, monotonic ms; undefined: it is not. */
  activeSince(id: bigint): number | undefined;
  /** Monotonic ms. */
  readonly now: number;
}

/*
 * The checks of `--strict-reconfig-check`: no change may leave the cluster without a quorum that
 * works. A member has started if it has told its name (reference: raft-and-peers B6).
 */

/** Why a member must not be added now, if so: MemberNotEnoughStarted or Unhealthy. */
export function refusalToAddMember(
  view: MembershipView,
  isLearner: boolean,
): EtcdError | undefined {
  const voters = votersOf(view.members);
  if (!isLearner && !isReadyForVoter(voters)) return etcdError('MemberNotEnoughStarted');
  if (voters.length === 1) return undefined;
  // Counts as if the new member never came.
  return connectedCount(view, voters) < quorum(voters.length + 1)
    ? etcdError('Unhealthy')
    : undefined;
}

/** Why a member must not be removed now, if so: MemberNotEnoughStarted or Unhealthy. */
export function refusalToRemoveMember(view: MembershipView, id: bigint): EtcdError | undefined {
  const target = view.members.find((member) => member.id === id);
  if (target?.isLearner === true) return undefined;
  const voters = votersOf(view.members);
  const others = voters.filter((member) => member.id !== id);
  if (startedCount(others) < quorum(others.length)) return etcdError('MemberNotEnoughStarted');
  // One that is down is no part of the quorum that works.
  if (id !== view.localMemberId && view.activeSince(id) === undefined) return undefined;
  const remaining = connectedCount(view, voters) - 1;
  return remaining < quorum(voters.length - 1) ? etcdError('Unhealthy') : undefined;
}

/** Why a learner must not become a voter now, if so: MemberNotEnoughStarted. */
export function refusalToPromoteMember(members: readonly Member[]): EtcdError | undefined {
  const voters = votersOf(members);
  // A learner that is ready to be promoted has started.
  return startedCount(voters) + 1 < quorum(voters.length + 1)
    ? etcdError('MemberNotEnoughStarted')
    : undefined;
}

/** A cluster of one may grow though two then stand still until the new one starts. */
function isReadyForVoter(voters: readonly Member[]): boolean {
  const started = startedCount(voters);
  return (started === 1 && voters.length === 1) || started >= quorum(voters.length + 1);
}

function votersOf(members: readonly Member[]): Member[] {
  return members.filter(({ isLearner }) => !isLearner);
}

function startedCount(members: readonly Member[]): number {
  return members.filter(({ name }) => name !== '').length;
}

function connectedCount(view: MembershipView, members: readonly Member[]): number {
  const { localMemberId, now } = view;
  return members.filter(({ id }) => {
    if (id === localMemberId) return true;
    const since = view.activeSince(id);
    return since !== undefined && since < now - HEALTH_INTERVAL_MILLIS;
  }).length;
}

function quorum(voters: number): number {
  return Math.floor(voters / 2) + 1;
}
