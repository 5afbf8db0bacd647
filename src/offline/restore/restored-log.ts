import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { ConfChange, ConfChangeType, EntryType } from '../../proto/gen/raftpb/raft.js';
import type { ConfState } from '../../storage/conf-state.js';
import { Snapshotter } from '../../storage/snap/snapshotter.js';
import { encodeV2Store } from '../../storage/snap/v2-store-json.js';
import { encodeWalIdentity } from '../../storage/wal/record-types.js';
import { WalWriter } from '../../storage/wal/writer.js';
import { RESTORED_TERM, type RestoredCluster } from './restored-rows.js';

export interface RestoredLogOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly walDirectory: string;
  readonly snapDirectory: string;
}

/**
 * Writes the log of a member that was just restored: an entry for each first member of the cluster,
 * and a snapshot right behind them, whose file carries the members for etcd up to 3.6 (reference:
 * formats 5.3). All members of a restored cluster get the same entries.
 */
export async function writeRestoredLog(
  { fs, clock, walDirectory, snapDirectory }: RestoredLogOptions,
  { memberId, clusterId, peers }: RestoredCluster,
): Promise<void> {
  const index = peers.length;
  const confState: ConfState = {
    voters: peers.map(({ id }) => id),
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const members = peers.map(({ id, peerUrls }) => {
    return { id, peerUrls, isLearner: false, name: '', clientUrls: [] };
  });
  const data = encodeV2Store({ members, removed: [], clusterVersion: undefined });
  const metadata = encodeWalIdentity({ memberId, clusterId });
  const wal = await WalWriter.create(fs, walDirectory, metadata, { clock });
  try {
    const vote = peers[0]?.id ?? 0n;
    await wal.save({ term: RESTORED_TERM, vote, commit: index }, entriesOf(peers));
    // Trap: the file comes first, for the record vouches for it.
    const snapshotter = new Snapshotter(fs, snapDirectory, { clock });
    await snapshotter.save({ index, term: RESTORED_TERM, confState, data });
    await wal.saveSnapshot({ index, term: RESTORED_TERM, confState });
  } finally {
    await wal.close();
  }
}

function entriesOf(peers: RestoredCluster['peers']) {
  return peers.map(({ id, context }, position) => ({
    type: EntryType.EntryConfChange,
    term: RESTORED_TERM,
    index: position + 1,
    data: ConfChange.encode({
      id: 0n,
      type: ConfChangeType.ConfChangeAddNode,
      nodeId: id,
      context,
    }).finish(),
  }));
}
