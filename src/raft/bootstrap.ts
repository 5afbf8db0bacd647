import { encodeConfChange } from './confchange/codec.js';
import { ConfChangeType } from './confchange/conf-change.js';
import type { RaftCore } from './core.js';
import { RaftInvariantError } from './errors.js';
import { applyConfChange } from './membership.js';
import { NONE } from './types.js';

/** An initial member; `context` is the application's description of it. */
export interface BootstrapPeer {
  readonly id: bigint;
  readonly context: Buffer;
}

/**
 * Gives empty storage its first entries: every initial member appends the same ones, of term 1,
 * which add the members in ascending order of ids, and counts them as committed (reference:
 * raft A11).
 */
export function bootstrap(core: RaftCore, peers: readonly BootstrapPeer[]): void {
  if (peers.length === 0) throw new RaftInvariantError('must provide at least one peer');
  if (core.log.lastIndex() !== 0) {
    throw new RaftInvariantError("can't bootstrap a nonempty Storage");
  }
  core.becomeFollower(1, NONE);
  const changes = peers.map(({ id, context }) => ({
    id: 0n,
    type: ConfChangeType.AddNode,
    nodeId: id,
    context,
  }));
  core.log.append(
    changes.map((change, position) => {
      const { type, data } = encodeConfChange(change);
      return { type, term: 1, index: position + 1, data };
    }),
  );
  core.log.committed = peers.length;
  // Applied here already, and once more when the entries are handed out, so that a campaign is
  // possible before that.
  for (const change of changes) applyConfChange(core, change);
}
