import { type Entry, EntryType } from '../../raft/types.js';
import type { Row } from '../../storage/backend/backend.js';
import { MemoryBackend } from '../../storage/backend/memory.js';
import { decodeV2Store } from '../../storage/snap/v2-store-json.js';
import type { WalIdentity } from '../../storage/wal/record-types.js';
import { decodeApplied } from '../apply/requests.js';
import { decodeLoggedRequest } from '../apply/store-request.js';
import { applyMembershipChange } from '../membership/apply-conf-change.js';
import { Cluster } from '../membership/cluster.js';

/** Rows that describe a membership, as the backend holds them. */
export interface MembershipRows {
  readonly members: readonly Row[];
  readonly removed: readonly Row[];
  /** Undefined if the members agreed on none. */
  readonly clusterVersion: string | undefined;
}

/**
 * The membership after the entry `upTo`, by what 3.4 and 3.5 go by: the v2 store in the `.snap`
 * file, and the log behind it.
 * Trap: the buckets of their databases may hold other members, for their `snapshot restore` leaves
 * those of the old cluster there (reference: formats 5.3).
 * @param store the v2 store as JSON; undefined if the log is whole
 * @param entries those behind the snapshot
 * @throws SnapError, StoreWriteError, DecodeError
 */
export function loggedMembership(
  identity: WalIdentity,
  store: Buffer | undefined,
  entries: readonly Entry[],
  upTo: number,
): MembershipRows {
  const backend = new MemoryBackend();
  const cluster = new Cluster(identity.clusterId, identity.memberId, backend);
  if (store !== undefined) loadStore(cluster, store);
  for (const entry of entries) if (entry.index <= upTo) applyEntry(cluster, entry);
  const all = Buffer.alloc(0);
  return {
    members: [...backend.range('members', all)],
    removed: [...backend.range('members_removed', all)],
    clusterVersion: cluster.version,
  };
}

function loadStore(cluster: Cluster, store: Buffer): void {
  const { members, removed, clusterVersion } = decodeV2Store(store);
  for (const member of members) cluster.put(member);
  for (const id of removed) cluster.remove(id);
  if (clusterVersion !== undefined) cluster.setVersion(clusterVersion);
}

function applyEntry(cluster: Cluster, entry: Entry): void {
  if (entry.type !== EntryType.Normal) {
    applyMembershipChange(cluster, entry);
    return;
  }
  if (entry.data.length === 0) return;
  const logged = decodeLoggedRequest(entry.data);
  if (logged?.kind === 'clusterVersionSet') {
    cluster.setVersion(decodeApplied(logged.kind, logged.request).ver);
  } else if (logged?.kind === 'clusterMemberAttrSet') {
    const { memberID, memberAttributes } = decodeApplied(logged.kind, logged.request);
    const { name = '', clientUrls = [] } = memberAttributes ?? {};
    cluster.setAttributes(memberID, name, clientUrls);
  }
}
