import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/server/membership/member.js';
import {
  type MembershipView,
  refusalToAddMember,
  refusalToPromoteMember,
  refusalToRemoveMember,
} from '../../../src/server/membership/reconfiguration-check.js';
import { member, unstarted } from './support.js';

const NOW = 100_000;
const LONG_AGO = NOW - 5001;

/** Voters of which the first `started` have started; all but those named are connected for long. */
function voters(total: number, started = total): Member[] {
  return Array.from({ length: total }, (_, at) =>
    at < started ? member(BigInt(at + 1)) : unstarted(BigInt(at + 1)),
  );
}

function view(members: readonly Member[], since: Record<string, number | undefined> = {}) {
  return {
    members,
    localMemberId: 1n,
    now: NOW,
    activeSince: (id: bigint) => (String(id) in since ? since[String(id)] : LONG_AGO),
  } satisfies MembershipView;
}

describe('adding a member', () => {
  // Reference: semantics 13, N1: started of voters.
  it.each([
    [0, 3, 'MemberNotEnoughStarted'],
    [1, 2, 'MemberNotEnoughStarted'],
    [1, 3, 'MemberNotEnoughStarted'],
    [2, 3, 'MemberNotEnoughStarted'],
    [1, 1, undefined],
    [3, 3, undefined],
    [3, 4, undefined],
    [2, 2, undefined],
  ])('with %i started of %i voters: %s', (started, total, refusal) => {
    expect(refusalToAddMember(view(voters(total, started)), false)?.reason).toBe(refusal);
    const withLearner = [...voters(total, started), unstarted(9n, { isLearner: true })];
    expect(refusalToAddMember(view(withLearner), false)?.reason).toBe(refusal);
  });

  it('does not ask how many have started for a learner', () => {
    expect(refusalToAddMember(view(voters(3, 1)), true)).toBeUndefined();
  });

  it('needs a quorum that is connected even if the new one never comes', () => {
    // Four voters after it: three must be there.
    for (const isLearner of [true, false]) {
      const add = (since: Record<string, number | undefined>) =>
        refusalToAddMember(view(voters(3), since), isLearner)?.reason;
      expect(add({ 3: undefined })).toBe('Unhealthy');
      expect(add({ 3: NOW - 5000 })).toBe('Unhealthy');
      expect(add({ 3: NOW - 5001 })).toBeUndefined();
    }
  });

  it('allows one of four voters to be away', () => {
    expect(refusalToAddMember(view(voters(4), { 2: undefined }), false)).toBeUndefined();
    const two = { 2: undefined, 3: undefined };
    expect(refusalToAddMember(view(voters(4), two), false)?.reason).toBe('Unhealthy');
  });

  it('does not count learners that are connected', () => {
    const members = [...voters(2), member(9n, { isLearner: true })];
    const refusal = refusalToAddMember(view(members, { 2: undefined }), false);
    expect(refusal?.reason).toBe('Unhealthy');
  });

  it('counts the local member as connected, alone or not', () => {
    expect(refusalToAddMember(view(voters(1), { 1: undefined }), true)).toBeUndefined();
    expect(refusalToAddMember(view(voters(2), { 1: undefined }), true)).toBeUndefined();
  });
});

describe('removing a member', () => {
  const remove = (members: Member[], id: bigint, since: Record<string, number | undefined> = {}) =>
    refusalToRemoveMember(view(members, since), id)?.reason;

  it('never asks about a learner', () => {
    const members = [...voters(3, 1), unstarted(9n, { isLearner: true })];
    expect(remove(members, 9n, { 2: undefined, 3: undefined })).toBeUndefined();
  });

  it('keeps a quorum of members that have started', () => {
    expect(remove(voters(3, 2), 1n)).toBe('MemberNotEnoughStarted');
    expect(remove(voters(3, 2), 3n)).toBeUndefined();
    expect(remove(voters(1), 1n)).toBe('MemberNotEnoughStarted');
    expect(remove(voters(2, 1), 1n)).toBe('MemberNotEnoughStarted');
    expect(remove(voters(2, 1), 2n, { 2: undefined })).toBeUndefined();
  });

  it('lets one that is down go', () => {
    expect(remove(voters(3), 2n, { 2: undefined, 3: undefined })).toBeUndefined();
    expect(remove(voters(3), 8n, { 8: undefined, 2: undefined })).toBeUndefined();
  });

  it('keeps a quorum of members that are connected', () => {
    expect(remove(voters(3), 2n)).toBeUndefined();
    expect(remove(voters(3), 2n, { 3: undefined })).toBe('Unhealthy');
    expect(remove(voters(3), 1n, { 3: undefined })).toBe('Unhealthy');
    expect(remove(voters(3), 2n, { 2: NOW - 10 })).toBe('Unhealthy');
    expect(remove(voters(5), 2n, { 3: undefined })).toBeUndefined();
    expect(remove(voters(5), 2n, { 3: undefined, 4: undefined })).toBe('Unhealthy');
  });
});

describe('promoting a learner', () => {
  it.each([
    [1, 1, undefined],
    [1, 2, undefined],
    [1, 3, 'MemberNotEnoughStarted'],
    [2, 3, undefined],
    [2, 4, undefined],
    [1, 4, 'MemberNotEnoughStarted'],
  ])('with %i started of %i voters: %s', (started, total, refusal) => {
    const members = [...voters(total, started), member(9n, { isLearner: true })];
    expect(refusalToPromoteMember(members)?.reason).toBe(refusal);
  });
});
