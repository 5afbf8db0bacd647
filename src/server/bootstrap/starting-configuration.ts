import type { Logger } from '../../base/logger.js';
import { type ConfState, EMPTY_CONF_STATE } from '../../raft/types.js';
import { decodeConfState } from '../apply/conf-state-json.js';
import type { Cluster } from '../membership/cluster.js';

/**
 * The configuration that Raft goes on from after a restart: the one it had applied, as the backend
 * keeps it beside the members; those alone where an older release kept none (reference: formats 8).
 *
 * Trap: the members do not always say who votes. An etcd that changes the URLs of a learner forgets
 * in its row that it is one, and 3.7, which goes by the rows alone, counts its vote from the next
 * restart on, when the others do not.
 * @param stored `meta/confState`, if it is there
 */
export function startingConfiguration(
  cluster: Pick<Cluster, 'members'>,
  stored: string | undefined,
  logger: Logger,
): ConfState {
  const members = cluster.members();
  const byRows = {
    ...EMPTY_CONF_STATE,
    voters: members.filter(({ isLearner }) => !isLearner).map(({ id }) => id),
    learners: members.filter(({ isLearner }) => isLearner).map(({ id }) => id),
  };
  const applied = stored === undefined ? undefined : decodeConfState(stored);
  if (applied === undefined) return byRows;
  if (sameIds(idsOf(applied), idsOf(byRows))) return applied;
  // Somebody changed one without the other, as when members were taken over from the log.
  logger.warn('the stored configuration is not that of the members; going by the members', {
    configuration: stored ?? '',
  });
  return byRows;
}

function idsOf({ voters, learners }: ConfState): readonly bigint[] {
  return [...voters, ...learners];
}

function sameIds(left: readonly bigint[], right: readonly bigint[]): boolean {
  const ids = new Set(left);
  return left.length === right.length && right.every((id) => ids.has(id));
}
