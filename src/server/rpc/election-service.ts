import { type LeaderKey, LeaderResponse } from '../../proto/gen/v3electionpb/election.js';
import { SERVICES } from '../../proto/services.js';
import { LeaseElection } from '../../recipes/election.js';
import { currentLeader, observeLeaders } from '../../recipes/leader.js';
import type { LocalCalls } from './local-calls.js';
import { drained, serverStreamMethod } from './methods.js';
import { contendingLease, recipeMethod, unknownError } from './recipe-method.js';
import type { CallContext, RpcMethod, ServerStream } from './transport.js';

/** v3electionpb.Election (reference: api 18). */
export function electionService(calls: LocalCalls): RpcMethod[] {
  const { election: definitions } = SERVICES;
  return [
    recipeMethod(definitions.campaign, async ({ name, lease, value }, context) => {
      const contender = await contendingLease(calls, lease, context);
      const election = new LeaseElection(calls.recipeStore(context), contender, name);
      await election.campaign(value, { signal: context.signal });
      const { header, key, createRevision: rev } = election;
      return { header, leader: { name, key, rev, lease: contender } };
    }),
    recipeMethod(definitions.proclaim, async ({ leader, value }, context) => {
      const election = await resume(calls, leader, context);
      await election.proclaim(value, { signal: context.signal });
      return { header: election.header };
    }),
    recipeMethod(definitions.resign, async ({ leader }, context) => {
      const election = await resume(calls, leader, context);
      await election.resign({ signal: context.signal });
      return { header: election.header };
    }),
    recipeMethod(definitions.leader, ({ name }, context) =>
      currentLeader(calls.recipeStore(context), name, { signal: context.signal }),
    ),
    serverStreamMethod(definitions.observe, ({ name }, stream) => observe(calls, name, stream)),
  ];
}

/** Goes on with a leadership that an earlier call won. */
async function resume(
  calls: LocalCalls,
  leader: LeaderKey | undefined,
  context: CallContext,
): Promise<LeaseElection> {
  if (leader === undefined) throw new Error('"leader" field must be provided');
  const { name, key, rev: createRevision } = leader;
  const lease = await contendingLease(calls, leader.lease, context);
  return new LeaseElection(calls.recipeStore(context), lease, name, { key, createRevision });
}

async function observe(calls: LocalCalls, name: Buffer, stream: ServerStream): Promise<void> {
  // The stream may also end from our side, which aborts no call.
  const closed = new AbortController();
  stream.onClose(() => closed.abort());
  const { signal } = closed;
  try {
    const store = calls.recipeStore(stream.context);
    for await (const leader of observeLeaders(store, name, { signal })) {
      const isFull = !stream.send(LeaderResponse.encode(leader).finish());
      if (isFull && !signal.aborted) await drained(stream, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw unknownError(error);
  }
  if (!signal.aborted) throw unknownError(new Error('election: observe closed early'));
}
