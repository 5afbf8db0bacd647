import type { Logger } from '../base/logger.js';
import { CompactionRequest } from '../proto/gen/etcdserverpb/rpc.js';
import type { MemberDirectories } from './bootstrap/directories.js';
import { AutoCompactor } from './compactor/auto-compactor.js';
import { PeriodicRetention, type Retention, RevisionRetention } from './compactor/retention.js';
import type { AutoCompaction, ServerConfig } from './config/server-config.js';
import { CorruptionChecker } from './corruption/corruption-checker.js';
import { CorruptionMonitor } from './corruption/corruption-monitor.js';
import { FilePurger } from './file-purger.js';
import type { LocalMember } from './local-member.js';
import type { ServerPlatform } from './platform.js';
import { LeaderLoss } from './rpc/leader-loss.js';
import type { OpenStreams } from './rpc/open-streams.js';
import type { VersionMonitor } from './version-monitor.js';

/** Something that goes on beside the requests. */
export interface BackgroundJob {
  start(): void;
  stop(): void | Promise<void>;
}

export interface BackgroundJobsOptions {
  readonly config: ServerConfig;
  readonly platform: ServerPlatform;
  readonly logger: Logger;
  readonly member: LocalMember;
  readonly directories: MemberDirectories;
  /** The streams that demand a leader. */
  readonly leaderStreams: OpenStreams;
  readonly versions: VersionMonitor;
}

/** What a serving member does on its own; the server starts and stops it. */
export function backgroundJobs(options: BackgroundJobsOptions): BackgroundJob[] {
  const { config, platform, logger, member, directories, leaderStreams } = options;
  const { fs, clock } = platform;
  const jobs: BackgroundJob[] = [
    new FilePurger({
      fs,
      clock,
      logger,
      snapDirectory: directories.snap,
      walDirectory: directories.wal,
      maxSnapshots: config.maxSnapshotFiles,
      maxWals: config.maxWalFiles,
      holdsSegment: (name) => member.holdsLogSegment(name),
      appliedIndex: () => member.appliedIndex,
    }),
    new LeaderLoss({
      clock,
      intervalMillis: config.electionMillis,
      hasLeader: () => member.leaderId !== 0n,
      streams: leaderStreams,
    }),
    options.versions,
    new CorruptionMonitor({
      checker: new CorruptionChecker(member, logger.at('corruption/corruption-checker.ts')),
      clock,
      logger,
      isLeader: () => member.isLeader,
      periodMillis: config.corruptCheckMillis,
      compactHashMillis: config.features.CompactHashCheck ? config.compactHashCheckMillis : 0,
    }),
  ];
  if (config.autoCompaction !== undefined) {
    jobs.push(
      new AutoCompactor({
        retention: retentionOf(config.autoCompaction, clock.monotonicMillis()),
        clock,
        logger,
        currentRevision: () => member.store.currentRevision,
        isPaused: () => !member.isLeader,
        compact: (revision) => compact(member, revision),
      }),
    );
  }
  return jobs;
}

function retentionOf(compaction: AutoCompaction, now: number): Retention {
  return compaction.mode === 'revision'
    ? new RevisionRetention(compaction.retentionRevisions)
    : new PeriodicRetention(compaction.retentionMillis, now);
}

async function compact(member: LocalMember, revision: number): Promise<void> {
  const request = CompactionRequest.create({ revision });
  await member.propose('compaction', request, CompactionRequest.encode(request).finish());
}
