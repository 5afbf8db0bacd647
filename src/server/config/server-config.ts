import { formatGoDuration, parseGoDuration, quoteGo } from '../../base/go-format.js';
import type { LogLevel } from '../../base/logger.js';
import type { MemberUrl } from '../http/address.js';
import { type AuditConfig, parseAudit } from './audit-config.js';
import { type ClusterDiscovery, discovery } from './cluster-discovery.js';
import type { DeferredLog } from './deferred-log.js';
import {
  type FeatureName,
  type FeatureSettings,
  parseFeatureGates,
  resolveFeatureGates,
} from './feature-gates.js';
import { ANY_ORIGIN } from './flag-values.js';
import { type LogRotation, parseLogRotation } from './log-rotation.js';
import type { Settings } from './settings.js';
import { clientTls, peerTls, type TlsConfig } from './tls-config.js';
import { parseInitialCluster } from './urls.js';

/** What to keep when old revisions are compacted by themselves; undefined: nothing is compacted. */
export type AutoCompaction =
  | { readonly mode: 'periodic'; readonly retentionMillis: number }
  | { readonly mode: 'revision'; readonly retentionRevisions: number };

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: 'json' | 'console';
  /** The format was asked for: it holds on a terminal too. */
  readonly formatIsSet: boolean;
  /** `default`, `stderr`, `stdout` or files. */
  readonly outputs: readonly string[];
  readonly rotation: LogRotation | undefined;
}

/**
 * The configuration of one member. Durations are milliseconds, sizes bytes; what etcd writes as 0
 * for "default" is resolved, unless a field says otherwise.
 */
export interface ServerConfig {
  readonly name: string;
  readonly dataDir: string;
  /** Undefined: below the data directory. */
  readonly walDir: string | undefined;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  /** Files to keep, 0 for all. */
  readonly maxSnapshotFiles: number;
  /** Files to keep, 0 for all. */
  readonly maxWalFiles: number;
  readonly heartbeatMillis: number;
  readonly electionMillis: number;
  /** Heartbeats in an election timeout. */
  readonly electionTicks: number;
  readonly initialElectionTickAdvance: boolean;
  readonly preVote: boolean;

  readonly listenPeerUrls: readonly MemberUrl[];
  readonly listenClientUrls: readonly MemberUrl[];
  /** If not empty, HTTP is served here and not on `listenClientUrls`. */
  readonly listenClientHttpUrls: readonly MemberUrl[];
  readonly listenMetricsUrls: readonly MemberUrl[];
  readonly advertisePeerUrls: readonly MemberUrl[];
  readonly advertiseClientUrls: readonly MemberUrl[];
  readonly raftReadTimeoutMillis: number;
  readonly raftWriteTimeoutMillis: number;

  /** As given, for the log. */
  readonly initialClusterText: string;
  /** Peer URLs by member name. */
  readonly initialCluster: ReadonlyMap<string, readonly MemberUrl[]>;
  readonly initialClusterState: 'new' | 'existing';
  readonly initialClusterToken: string;
  /** Where the members are told, if not by the initial cluster. */
  readonly discovery: ClusterDiscovery | undefined;
  readonly strictReconfigCheck: boolean;
  readonly maxLearners: number;
  readonly forceNewCluster: boolean;

  /** As given: 0 stands for the default of 2 GiB, below 0 for no quota. */
  readonly quotaBackendBytes: number;
  readonly backendBatchMillis: number;
  readonly backendBatchLimit: number;
  readonly backendFreelistType: 'array' | 'map';
  readonly bootstrapDefragThresholdMegabytes: number;
  readonly unsafeNoFsync: boolean;

  readonly maxTxnOps: number;
  readonly maxRequestBytes: number;
  readonly maxConcurrentStreams: number;
  readonly keepAlive: {
    readonly minTimeMillis: number;
    readonly intervalMillis: number;
    readonly timeoutMillis: number;
  };
  readonly warningApplyMillis: number;
  readonly warningUnaryRequestMillis: number;
  /** How long a request may take: 5 s and two election timeouts. */
  readonly requestTimeoutMillis: number;

  readonly autoCompaction: AutoCompaction | undefined;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMillis: number;
  /** 0: no check. */
  readonly corruptCheckMillis: number;
  readonly compactHashCheckMillis: number;
  readonly watchProgressNotifyMillis: number;
  /** 0: no check. */
  readonly downgradeCheckMillis: number;

  readonly clientTls: TlsConfig;
  readonly peerTls: TlsConfig;
  readonly authToken: string;
  readonly authTokenTtlSeconds: number;
  readonly bcryptCost: number;
  /** Allowed origins, `*` alone for all. */
  readonly cors: readonly string[];
  /** Allowed host names; `*` among them allows all. */
  readonly hostWhitelist: readonly string[];
  readonly enableGrpcGateway: boolean;
  readonly metrics: 'basic' | 'extensive';
  readonly log: LogConfig;
  readonly audit: AuditConfig;

  readonly features: Readonly<Record<FeatureName, boolean>>;
  /** What was set explicitly, for the log. */
  readonly explicitFeatures: FeatureSettings;
}

const MIN_RAFT_TIMEOUT_MILLIS = 5000;
const MIN_WATCH_PROGRESS_MILLIS = 100;
const RECOMMENDED_REQUEST_BYTES = 10 * 1024 * 1024;
const DEFAULT_BCRYPT_COST = 10;
const DEFAULT_INITIAL_CLUSTER = 'default=http://localhost:2380';

type Note = (level: LogLevel, message: string, fields?: DeferredLog['fields']) => void;

/**
 * The configuration that validated settings stand for.
 * @throws Error with etcd's text, for what etcd finds only when it starts
 */
export function buildServerConfig(settings: Settings, logs: DeferredLog[]): ServerConfig {
  const note: Note = (level, message, fields) => {
    logs.push({ level, message, ...(fields === undefined ? {} : { fields }) });
  };
  refuseSharedHttpUrl(settings);
  return Object.freeze({
    ...identity(settings, note),
    ...raft(settings, note),
    ...addresses(settings, note),
    ...cluster(settings),
    ...backend(settings),
    ...requests(settings, note),
    ...background(settings, note),
    ...access(settings, note),
    clientTls: clientTls(settings),
    peerTls: peerTls(settings),
    log: logging(settings),
    audit: parseAudit(settings),
    metrics: settings.text('metrics') === 'extensive' ? 'extensive' : 'basic',
    features: resolveFeatureGates(parseFeatureGates(settings.text('feature-gates'))),
    explicitFeatures: parseFeatureGates(settings.text('feature-gates')),
  } satisfies ServerConfig);
}

function refuseSharedHttpUrl(settings: Settings): void {
  const grpcHosts = new Set(settings.urls('listen-client-urls').map(({ host }) => host));
  for (const url of settings.urls('listen-client-http-urls')) {
    if (grpcHosts.has(url.host) && !url.scheme.startsWith('unix')) {
      throw new Error(
        `cannot bind both --listen-client-urls and --listen-client-http-urls on the same url ${url.text}`,
      );
    }
  }
}

function identity(settings: Settings, note: Note) {
  const name = settings.text('name');
  let dataDir = settings.text('data-dir');
  if (dataDir === '') {
    dataDir = `${name}.etcd`;
    note('warn', "'data-dir' was empty; using default", { 'data-dir': dataDir });
  }
  return { name, dataDir, walDir: settings.text('wal-dir') || undefined };
}

function raft(settings: Settings, note: Note) {
  const heartbeatMillis = settings.number('heartbeat-interval');
  const electionMillis = settings.number('election-timeout');
  return {
    snapshotCount: orDefault(settings, 'snapshot-count', 10_000, note),
    snapshotCatchUpEntries: orDefault(settings, 'snapshot-catchup-entries', 5000, note),
    maxSnapshotFiles: settings.number('max-snapshots'),
    maxWalFiles: settings.number('max-wals'),
    heartbeatMillis,
    electionMillis,
    electionTicks: Math.floor(electionMillis / heartbeatMillis),
    initialElectionTickAdvance: settings.on('initial-election-tick-advance'),
    preVote: settings.on('pre-vote'),
    raftReadTimeoutMillis: raftTimeout(settings, 'raft-read-timeout', note),
    raftWriteTimeoutMillis: raftTimeout(settings, 'raft-write-timeout', note),
  };
}

function orDefault(settings: Settings, flag: string, value: number, note: Note): number {
  const given = settings.number(flag);
  if (given !== 0) return given;
  note('info', `set ${flag} to default`, { 'given-value': given, 'default-value': value });
  return value;
}

function raftTimeout(settings: Settings, flag: string, note: Note): number {
  const given = settings.millis(flag);
  if (given >= MIN_RAFT_TIMEOUT_MILLIS) return given;
  note('info', `${flag} increased to minimum value: 5s`);
  return MIN_RAFT_TIMEOUT_MILLIS;
}

function addresses(settings: Settings, _note: Note) {
  return {
    listenPeerUrls: settings.urls('listen-peer-urls'),
    listenClientUrls: settings.urls('listen-client-urls'),
    listenClientHttpUrls: settings.urls('listen-client-http-urls'),
    listenMetricsUrls: settings.urls('listen-metrics-urls'),
    advertisePeerUrls: settings.urls('initial-advertise-peer-urls'),
    advertiseClientUrls: settings.urls('advertise-client-urls'),
  };
}

function cluster(settings: Settings) {
  const name = settings.text('name');
  let initialClusterText = settings.text('initial-cluster');
  // As in etcd the text decides, so that a file which spells the default out gets the name too.
  if (initialClusterText === DEFAULT_INITIAL_CLUSTER && name !== 'default') {
    const own = settings.urls('initial-advertise-peer-urls').map(({ text }) => `${name}=${text}`);
    initialClusterText = own.join(',');
  }
  return {
    initialClusterText,
    initialCluster: parseInitialCluster(initialClusterText),
    initialClusterState:
      settings.text('initial-cluster-state') === 'existing'
        ? ('existing' as const)
        : ('new' as const),
    initialClusterToken: settings.text('initial-cluster-token'),
    discovery: discovery(settings),
    strictReconfigCheck: settings.on('strict-reconfig-check'),
    maxLearners: settings.number('max-learners'),
    forceNewCluster: settings.on('force-new-cluster'),
  };
}

function backend(settings: Settings) {
  return {
    quotaBackendBytes: settings.number('quota-backend-bytes'),
    backendBatchMillis: settings.millis('backend-batch-interval') || 100,
    backendBatchLimit: settings.number('backend-batch-limit') || 10_000,
    backendFreelistType:
      settings.text('backend-bbolt-freelist-type') === 'array'
        ? ('array' as const)
        : ('map' as const),
    bootstrapDefragThresholdMegabytes: settings.number('bootstrap-defrag-threshold-megabytes'),
    unsafeNoFsync: settings.on('unsafe-no-fsync'),
  };
}

function requests(settings: Settings, note: Note) {
  const maxRequestBytes = settings.number('max-request-bytes');
  if (maxRequestBytes > RECOMMENDED_REQUEST_BYTES) {
    note('warn', 'exceeded recommended request limit', {
      'max-request-bytes': maxRequestBytes,
      'recommended-request-bytes': RECOMMENDED_REQUEST_BYTES,
    });
  }
  return {
    maxTxnOps: settings.number('max-txn-ops'),
    maxRequestBytes,
    maxConcurrentStreams: settings.number('max-concurrent-streams'),
    keepAlive: {
      minTimeMillis: settings.millis('grpc-keepalive-min-time'),
      intervalMillis: settings.millis('grpc-keepalive-interval'),
      timeoutMillis: settings.millis('grpc-keepalive-timeout'),
    },
    warningApplyMillis: settings.millis('warning-apply-duration'),
    warningUnaryRequestMillis: settings.millis('warning-unary-request-duration') || 300,
    requestTimeoutMillis: 5000 + 2 * settings.number('election-timeout'),
  };
}

function background(settings: Settings, note: Note) {
  return {
    autoCompaction: autoCompaction(settings),
    compactionBatchLimit: settings.number('compaction-batch-limit') || 1000,
    compactionSleepMillis: settings.millis('compaction-sleep-interval') || 10,
    corruptCheckMillis: settings.millis('corrupt-check-time'),
    compactHashCheckMillis: settings.millis('compact-hash-check-time'),
    watchProgressNotifyMillis: watchProgress(settings, note),
    downgradeCheckMillis: settings.millis('downgrade-check-time'),
  };
}

function watchProgress(settings: Settings, note: Note): number {
  const given = settings.millis('watch-progress-notify-interval') || 10 * 60 * 1000;
  if (given >= MIN_WATCH_PROGRESS_MILLIS) return given;
  note('warn', 'adjusting watch progress notify interval to minimum period', {
    'min-watch-progress-notify-interval': formatGoDuration(MIN_WATCH_PROGRESS_MILLIS * 1e6),
  });
  return MIN_WATCH_PROGRESS_MILLIS;
}

/** A bare number is hours or revisions, anything else a duration (reference: server 1.2). */
function autoCompaction(settings: Settings): AutoCompaction | undefined {
  const revisions = settings.text('auto-compaction-mode') === 'revision';
  const text = settings.text('auto-compaction-retention');
  const count = /^\+?\d+$/.test(text) ? Number(text) : undefined;
  let nanoseconds: number;
  try {
    nanoseconds = count === undefined ? parseGoDuration(text) : count * 3600e9;
  } catch (error) {
    throw new Error(
      `error parsing CompactionRetention: ${error instanceof Error ? error.message : error}`,
    );
  }
  // Trap: a duration in revision mode is taken by its nanoseconds.
  const amount = revisions ? (count ?? nanoseconds) : nanoseconds / 1e6;
  if (amount <= 0) return undefined;
  return revisions
    ? { mode: 'revision', retentionRevisions: amount }
    : { mode: 'periodic', retentionMillis: amount };
}

function access(settings: Settings, note: Note) {
  const origins = settings.list('cors');
  return {
    authToken: settings.text('auth-token'),
    authTokenTtlSeconds: settings.number('auth-token-ttl'),
    bcryptCost: bcryptCost(settings, note),
    cors: origins.length === 0 ? [ANY_ORIGIN] : origins,
    hostWhitelist: settings.list('host-whitelist'),
    enableGrpcGateway: settings.on('enable-grpc-gateway'),
  };
}

function bcryptCost(settings: Settings, note: Note): number {
  const given = settings.number('bcrypt-cost');
  if (given >= 4 && given <= 31) return given;
  note('warn', 'use default bcrypt cost instead of the invalid given cost', {
    'min-cost': 4,
    'max-cost': 31,
    'default-cost': DEFAULT_BCRYPT_COST,
    'given-cost': given,
  });
  return DEFAULT_BCRYPT_COST;
}

function logging(settings: Settings): LogConfig {
  const outputs = settings.list('log-outputs');
  const discarded = outputs.includes('/dev/null');
  return {
    level: logLevel(settings.text('log-level')),
    format: settings.text('log-format') === 'console' ? 'console' : 'json',
    formatIsSet: settings.isSet('log-format'),
    outputs: discarded ? ['/dev/null'] : outputs,
    rotation: settings.on('enable-log-rotation')
      ? parseLogRotation(settings.text('log-rotation-config-json'), outputs)
      : undefined,
  };
}

const LOG_LEVELS: readonly LogLevel[] = [
  'debug',
  'info',
  'warn',
  'error',
  'dpanic',
  'panic',
  'fatal',
];

function logLevel(text: string): LogLevel {
  const lower = text.toLowerCase();
  const level = LOG_LEVELS.find((name) => name === (lower === 'warning' ? 'warn' : lower));
  if (level === undefined) throw new TypeError(`unrecognized level: ${quoteGo(text)}`);
  return level;
}
