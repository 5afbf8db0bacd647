import { EMPTY_BYTES } from '../../base/bytes.js';
import type { Logger } from '../../base/logger.js';
import { decodeConfChange, encodeConfChange } from '../../raft/confchange/codec.js';
import { ConfChangeType, isConfChangeV2 } from '../../raft/confchange/conf-change.js';
import type { MemoryStorage } from '../../raft/memory-storage.js';
import { type Entry, EntryType } from '../../raft/types.js';
import type { WalWriter } from '../../storage/wal/writer.js';
import { additionContext, promotionContext } from '../membership/change-context.js';
import type { Cluster } from '../membership/cluster.js';
import { formatId } from '../membership/member.js';

/** Where a member is said to be reached that was no member of its own cluster. */
const PLACEHOLDER_PEER_URL = 'http://localhost:2380';

export interface ForceNewClusterOptions {
  readonly logger: Logger;
  /** The log, as it was read. */
  readonly storage: MemoryStorage;
  readonly wal: Pick<WalWriter, 'save'>;
  /** The membership after the entry `consistentIndex`. */
  readonly cluster: Pick<Cluster, 'id' | 'localMemberId' | 'members' | 'isRemoved'>;
  readonly consistentIndex: number;
}

/**
 * Makes a cluster of this one member, whatever became of the others: drops what was not committed,
 * and commits the removal of all others, on disk too (reference: server 2.6). Does nothing to a
 * member that is alone already.
 * @throws Error if the cluster has removed this member, whose id can't come back, or if a part of the
 *   log is missing
 */
export async function forceNewCluster(options: ForceNewClusterOptions): Promise<void> {
  const { logger, storage, wal, cluster, consistentIndex } = options;
  const { hardState } = storage.initialState();
  if (hardState === undefined) return;
  if (cluster.isRemoved(cluster.localMemberId)) {
    throw new Error(
      `member ${formatId(cluster.localMemberId)} was removed from its cluster; --force-new-cluster can't bring it back`,
    );
  }
  const commit = Math.max(hardState.commit, consistentIndex);
  if (commit > storage.lastIndex()) {
    throw new Error(
      `the log ends at index ${storage.lastIndex()}, but index ${commit} was committed: a part of the log is missing`,
    );
  }
  const changes = changesToBeAlone(options, commit);
  const hasTail = storage.lastIndex() > commit;
  logger.info('forcing restart member', {
    'cluster-id': formatId(cluster.id),
    'local-member-id': formatId(cluster.localMemberId),
    'wal-commit-index': hardState.commit,
    'commit-index': commit,
  });
  // Something has to take the place of the tail, or the next start would find it again.
  const contents = changes.length === 0 && hasTail ? [NOTHING] : changes;
  const entries = contents.map((content, position): Entry => {
    return { term: hardState.term, index: commit + 1 + position, ...content };
  });
  const state = { ...hardState, commit: commit + entries.length };
  await wal.save(state, entries);
  storage.append(entries);
  storage.setHardState(state);
}

type EntryContent = Pick<Entry, 'type' | 'data'>;

const NOTHING: EntryContent = { type: EntryType.Normal, data: EMPTY_BYTES };

/**
 * Trap: this member must vote before the others go, for there may be no moment without a voter.
 */
function changesToBeAlone(options: ForceNewClusterOptions, commit: number): EntryContent[] {
  const { localMemberId } = options.cluster;
  const roles = rolesAt(options, commit);
  const changes: EntryContent[] = [];
  const own = roles.get(localMemberId);
  if (own === undefined) {
    const member = { id: localMemberId, peerUrls: [PLACEHOLDER_PEER_URL], isLearner: false };
    const context = additionContext({ ...member, name: '', clientUrls: [] });
    changes.push(change(ConfChangeType.AddNode, localMemberId, context));
  } else if (own === 'learner') {
    changes.push(change(ConfChangeType.AddNode, localMemberId, promotionContext(localMemberId)));
  }
  for (const id of roles.keys()) {
    if (id !== localMemberId) changes.push(change(ConfChangeType.RemoveNode, id, EMPTY_BYTES));
  }
  return changes;
}

function change(type: ConfChangeType, nodeId: bigint, context: Buffer): EntryContent {
  return encodeConfChange({ id: 0n, type, nodeId, context });
}

type MemberRole = 'voter' | 'learner';

/** The members once all that is committed is applied. */
function rolesAt(
  { storage, cluster, consistentIndex }: ForceNewClusterOptions,
  commit: number,
): Map<bigint, MemberRole> {
  const roles = new Map<bigint, MemberRole>();
  for (const { id, isLearner } of cluster.members()) roles.set(id, isLearner ? 'learner' : 'voter');
  const first = Math.max(consistentIndex + 1, storage.firstIndex());
  for (const entry of storage.entries(first, commit + 1, Number.POSITIVE_INFINITY)) {
    if (entry.type === EntryType.Normal) continue;
    const { type, nodeId } = v1Change(entry);
    if (type === ConfChangeType.AddNode) roles.set(nodeId, 'voter');
    else if (type === ConfChangeType.AddLearnerNode) roles.set(nodeId, 'learner');
    else if (type === ConfChangeType.RemoveNode) roles.delete(nodeId);
  }
  return roles;
}

function v1Change(entry: Entry) {
  const decoded = decodeConfChange(entry);
  if (!isConfChangeV2(decoded)) return decoded;
  throw new Error(`the log entry ${entry.index} holds a ConfChangeV2, which etcd does not use`);
}
