import { silentLogger } from '../../src/base/logger.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { noTokens } from '../../src/server/auth/no-tokens.js';
import { memberDirectories } from '../../src/server/bootstrap/directories.js';
import {
  type OpenedMember,
  type OpenMemberOptions,
  openMember,
} from '../../src/server/bootstrap/open-member.js';
import { MemoryBackend, MemoryDisk } from '../../src/storage/backend/memory.js';
import { lonelyCalls, lonelyTransport } from './lonely-peers.js';

/** What one in-memory member after another runs on. */
export interface MemberDisks {
  readonly fs: MemoryFs;
  readonly backend: MemoryDisk;
}

export function newDisks(): MemberDisks {
  return { fs: new MemoryFs(), backend: new MemoryDisk() };
}

export const MEMBER_SETTINGS: OpenMemberOptions['settings'] = {
  heartbeatMillis: 100,
  electionTicks: 10,
  initialElectionTickAdvance: true,
  maxRequestBytes: 1_572_864,
  snapshotCount: 10_000,
  snapshotCatchUpEntries: 5000,
  warningApplyMillis: 1000,
  maxLearners: 1,
  preVote: true,
  quotaBytes: 0,
  unsafeNoFsync: false,
  compactionBatchLimit: 1000,
  compactionSleepMillis: 1,
  leaseCheckpointMillis: undefined,
  persistsLeaseCheckpoints: false,
  walSegmentBytes: 256 * 1024,
};

export type MemberOverrides = Partial<
  Pick<
    OpenMemberOptions,
    | 'clock'
    | 'random'
    | 'logger'
    | 'openBackend'
    | 'onFatal'
    | 'createTransport'
    | 'calls'
    | 'initialCluster'
    | 'forcesNewCluster'
  >
>;

/** Opens a single member on disks in memory; it does not take part in its cluster yet. */
export function openInMemory(
  disks: MemberDisks,
  settings: Partial<OpenMemberOptions['settings']> = {},
  overrides: MemberOverrides = {},
): Promise<OpenedMember> {
  const peerUrl = 'http://127.0.0.1:2380';
  return openMember({
    fs: disks.fs,
    clock: nodeClock,
    random: seededRandom(1),
    logger: silentLogger,
    directories: memberDirectories('/data', ''),
    initialCluster: {
      name: 'default',
      peerUrls: new Map([['default', [peerUrl]]]),
      advertisedPeerUrls: [peerUrl],
      token: 'etcd-cluster',
      state: 'new',
    },
    settings: { ...MEMBER_SETTINGS, ...settings },
    auth: {
      tokens: noTokens,
      hashPlainPassword: () => {
        throw new Error('no test of members holds such a log');
      },
    },
    openBackend: async () => new MemoryBackend({ disk: disks.backend, clock: nodeClock }),
    createTransport: lonelyTransport,
    calls: lonelyCalls,
    onFatal: (error) => {
      throw error;
    },
    ...overrides,
  });
}

/** Starts a single member on disks in memory and waits until it leads. */
export async function startMember(
  disks: MemberDisks,
  settings: Partial<OpenMemberOptions['settings']> = {},
): Promise<OpenedMember> {
  const opened = await openInMemory(disks, settings);
  opened.member.start();
  await opened.member.whenLeader();
  return opened;
}
