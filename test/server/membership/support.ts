import { encodeConfChange } from '../../../src/raft/confchange/codec.js';
import type { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import type { Entry } from '../../../src/raft/types.js';
import { Cluster } from '../../../src/server/membership/cluster.js';
import type { Member } from '../../../src/server/membership/member.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';

/** A member that has started, with the peer URL `http://<id>`. */
export function member(id: bigint, changes: Partial<Member> = {}): Member {
  const started = { name: `m${id}`, clientUrls: [`http://client-${id}`] };
  return { id, peerUrls: [`http://${id}`], isLearner: false, ...started, ...changes };
}

export function unstarted(id: bigint, changes: Partial<Member> = {}): Member {
  return member(id, { name: '', clientUrls: [], ...changes });
}

/** A cluster of those members on a backend in memory; the first one is the local one. */
export function clusterOf(members: readonly Member[]): {
  readonly cluster: Cluster;
  readonly backend: MemoryBackend;
} {
  const backend = new MemoryBackend({ disk: new MemoryDisk() });
  const cluster = new Cluster(1000n, members[0]?.id ?? 0n, backend);
  for (const one of members) cluster.put(one);
  return { cluster, backend };
}

/** A committed change. */
export function changeEntry(
  type: ConfChangeType,
  nodeId: bigint,
  context: Buffer = Buffer.alloc(0),
): Entry {
  return { ...encodeConfChange({ id: 5n, type, nodeId, context }), term: 1, index: 9 };
}
