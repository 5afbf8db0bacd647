import { formatGoDuration, quoteGo } from '../../base/go-format.js';
import { isIpAddress, type MemberUrl, splitHostPort } from '../http/address.js';
import { parseAudit } from './audit-config.js';
import type { DeferredLog } from './deferred-log.js';
import { parseFeatureGates, resolveFeatureGates } from './feature-gates.js';
import { parseLogRotation } from './log-rotation.js';
import type { Settings } from './settings.js';

/** An unknown log level makes etcd panic (exit 2). */
export class UnknownLogLevel extends Error {}

/** The one error that etcd reports with a line of its own besides. */
export class MissingAdvertiseClientUrls extends Error {
  constructor() {
    super('--advertise-client-urls is required when --listen-client-urls is set explicitly');
  }
}

type Check = (settings: Settings, warn: Warn) => void;
type Warn = (message: string, fields?: DeferredLog['fields']) => void;

/**
 * Checks a configuration in etcd's order, with etcd's texts (reference: server 1.4).
 * @throws Error for the first fault
 */
export function validate(settings: Settings, fromFile: boolean, logs: DeferredLog[]): void {
  const warn: Warn = (message, fields) => {
    logs.push({ level: 'warn', message, ...(fields === undefined ? {} : { fields }) });
  };
  if (!fromFile) checkFallback(settings);
  for (const check of CHECKS) check(settings, warn);
  if (!fromFile) checkAdvertised(settings);
  for (const check of LATER_CHECKS) check(settings, warn);
}

function checkFallback(settings: Settings): void {
  if (settings.text('discovery-fallback') === 'proxy') {
    throw new Error(
      'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"',
    );
  }
}

/** Trap: only the command line is checked; a file may leave the advertised URLs at the default. */
function checkAdvertised(settings: Settings): void {
  if (settings.isSet('listen-client-urls') && !settings.isSet('advertise-client-urls')) {
    throw new MissingAdvertiseClientUrls();
  }
}

const LOG_LEVELS = new Set([
  'debug',
  'info',
  'warn',
  'warning',
  'error',
  'dpanic',
  'panic',
  'fatal',
]);

const checkLogging: Check = (settings) => {
  const logger = settings.text('logger');
  if (logger === 'capnslog') throw new Error('--logger=capnslog is removed in v3.5');
  if (logger !== 'zap') throw new Error(`unknown logger option ${quoteGo(logger)}`);
  const outputs = settings.list('log-outputs');
  if (outputs.length > 1 && outputs.includes('default')) {
    throw new Error('multi logoutput for "default" is not supported yet');
  }
  if (settings.on('enable-log-rotation')) {
    parseLogRotation(settings.text('log-rotation-config-json'), outputs);
  }
  parseAudit(settings);
  const level = settings.text('log-level');
  if (!LOG_LEVELS.has(level.toLowerCase())) {
    throw new UnknownLogLevel(`unrecognized level: ${quoteGo(level)}`);
  }
  const format = settings.text('log-format');
  if (format !== 'json' && format !== 'console') {
    throw new Error(`unknown log format: ${format}, supported values json, console`);
  }
};

const checkBindUrls =
  (...names: string[]): Check =>
  (settings) => {
    for (const name of names) {
      for (const url of settings.urls(name)) checkBindUrl(url);
    }
  };

function checkBindUrl(url: MemberUrl): void {
  if (url.scheme.startsWith('unix')) return;
  const { host } = splitHostPort(url.host);
  if (host === 'localhost') return;
  if (!isIpAddress(host)) {
    throw new Error(`expected IP in URL for binding (${url.text})`);
  }
}

const checkSinglePort: Check = (settings, warn) => {
  if (settings.urls('listen-client-http-urls').length > 0) return;
  warn('Running http and grpc server on single port. This is not recommended for production.');
};

const checkAdvertisedHosts: Check = (settings) => {
  for (const [name, shape] of [
    ['initial-advertise-peer-urls', '"host:port"'],
    [
      'advertise-client-urls',
      'in the format "host:port", "unix:/path/to/socket" or "unixs:/path/to/socket"',
    ],
  ] as const) {
    const urls = settings.urls(name);
    const bad = urls.find(hasNoHost);
    if (bad === undefined) continue;
    const list = `[${urls.map(({ text }) => quoteGo(text)).join(' ')}]`;
    throw new Error(`--${name} ${list} must be ${shape} (unexpected empty host (${bad.text}))`);
  }
};

function hasNoHost(url: MemberUrl): boolean {
  return !url.scheme.startsWith('unix') && splitHostPort(url.host).host === '';
}

const checkClusterState: Check = (settings) => {
  const state = settings.text('initial-cluster-state');
  // An empty one, possible in a file, stands for `new`.
  if (!['', 'new', 'existing'].includes(state)) {
    throw new Error(`unexpected clusterState ${quoteGo(state)}`);
  }
};

const checkBootstrapSource: Check = (settings) => {
  const sources = [
    settings.isSet('initial-cluster') && settings.text('initial-cluster') !== '',
    settings.text('discovery-srv') !== '',
    settings.list('discovery-endpoints').length > 0,
  ];
  if (sources.filter(Boolean).length > 1) {
    throw new Error(
      'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    );
  }
};

const checkDiscovery: Check = (settings) => {
  const endpoints = settings.list('discovery-endpoints');
  const hasToken = settings.text('discovery-token') !== '';
  if (hasToken !== endpoints.length > 0) {
    throw new Error('both --discovery-token and --discovery-endpoints must be set');
  }
  if (endpoints.includes('')) {
    throw new Error('--discovery-endpoints must not contain empty endpoints');
  }
};

const checkTicks: Check = (settings) => {
  const heartbeat = settings.number('heartbeat-interval');
  const election = settings.number('election-timeout');
  if (heartbeat === 0) {
    throw new Error('--heartbeat-interval must be >0 (set to 0ms)');
  }
  if (election === 0) throw new Error('--election-timeout must be >0 (set to 0ms)');
  if (5 * heartbeat > election) {
    throw new Error(
      `--election-timeout[${election}ms] should be at least as 5 times as --heartbeat-interval[${heartbeat}ms]`,
    );
  }
  if (election > 50_000) {
    throw new Error(
      `--election-timeout[${election}ms] is too long, and should be set less than 50000ms`,
    );
  }
};

const checkAutoCompaction: Check = (settings) => {
  const mode = settings.text('auto-compaction-mode');
  if (mode === '') throw new Error('undefined auto-compaction-mode');
  if (mode !== 'periodic' && mode !== 'revision') {
    throw new Error(`unknown auto-compaction-mode ${quoteGo(mode)}`);
  }
};

const checkTracing: Check = (settings) => {
  if (!settings.on('enable-distributed-tracing')) return;
  const rate = settings.number('distributed-tracing-sampling-rate');
  const fault =
    rate < 0
      ? 'tracing sampling rate must be positive'
      : rate > 1_000_000
        ? 'tracing sampling rate must be less than 1000000'
        : undefined;
  // The spelling is etcd's.
  if (fault !== undefined) {
    throw new Error(`distributed tracing configurition is not valid: (${fault})`);
  }
};

const checkLeaseGates: Check = (settings, warn) => {
  const gates = resolveFeatureGates(parseFeatureGates(settings.text('feature-gates')));
  if (gates.LeaseCheckpointPersist && !gates.LeaseCheckpoint) {
    throw new Error(
      'enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint',
    );
  }
  if (gates.LeaseCheckpoint && !gates.LeaseCheckpointPersist) {
    warn(
      'Detected that checkpointing is enabled without persistence. Consider enabling feature gate LeaseCheckpointPersist',
    );
  }
};

const checkHashTime: Check = (settings) => {
  const time = settings.number('compact-hash-check-time');
  if (time <= 0) {
    throw new Error(`--compact-hash-check-time must be >0 (set to ${formatGoDuration(time)})`);
  }
};

const checkName: Check = (settings, warn) => {
  const name = settings.text('name');
  if (name !== 'default') return;
  warn(
    "it isn't recommended to use default name, please set a value for --name. Note that etcd might run into issue when multiple members have the same default name",
    { name },
  );
};

const TLS_VERSIONS = ['TLS1.2', 'TLS1.3'];

const checkTlsVersions: Check = (settings) => {
  const lowest = settings.text('tls-min-version');
  const highest = settings.text('tls-max-version');
  for (const version of [lowest, highest]) {
    if (version !== '' && !TLS_VERSIONS.includes(version)) {
      throw new Error(
        `unexpected TLS version ${quoteGo(version)} (must be one of: ${TLS_VERSIONS.join(', ')})`,
      );
    }
  }
  if (highest !== '' && lowest > highest) {
    throw new Error(`min version (${lowest}) is greater than max version (${highest})`);
  }
  if (lowest === 'TLS1.3' && settings.list('cipher-suites').length > 0) {
    throw new Error('cipher suites cannot be configured when only TLS1.3 is enabled');
  }
};

/** In etcd's order; the missing advertised client URLs come between the two lists. */
const CHECKS: readonly Check[] = [
  checkLogging,
  checkBindUrls('listen-peer-urls', 'listen-client-urls', 'listen-client-http-urls'),
  checkSinglePort,
  checkBindUrls('listen-metrics-urls'),
  checkAdvertisedHosts,
  checkClusterState,
  checkBootstrapSource,
  checkDiscovery,
  checkTicks,
];

const LATER_CHECKS: readonly Check[] = [
  checkAutoCompaction,
  checkTracing,
  checkLeaseGates,
  checkHashTime,
  checkName,
  checkTlsVersions,
];
