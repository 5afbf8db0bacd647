/** How the value of a flag is read (reference: server 1.1, 1.2). */
export type FlagKind =
  | 'string'
  | 'bool'
  | 'uint'
  | 'uint32'
  | 'uint64'
  | 'int'
  | 'int64'
  /** Go duration text; nanoseconds in the configuration file. */
  | 'duration'
  /** Comma list of URLs, sorted and without duplicates. */
  | 'urls'
  /** Comma list, sorted and without duplicates. */
  | 'uniqueList'
  /** Comma list in the given order. */
  | 'list'
  /** One of `choices`. */
  | 'choice'
  /** Comma list of `choices`. */
  | 'choices'
  /** `*` or a list of URLs. */
  | 'origins'
  | 'featureGates'
  /** Accepted with any value, and of no effect. */
  | 'ignored';

export type FlagSection =
  | 'Member'
  | 'Clustering'
  | 'Security'
  | 'Logging, monitoring and tracing'
  | 'Features'
  | 'Other';

/** One flag of the server. */
export interface FlagSpec {
  readonly name: string;
  readonly kind: FlagKind;
  readonly section: FlagSection;
  /** As it would stand on the command line. */
  readonly defaultText: string;
  /** Path in the configuration file, dots between the levels; undefined: not settable there. */
  readonly yaml: string | undefined;
  /** First release with this name; several: back-ported. */
  readonly since: string;
  readonly help: string;
  readonly choices: readonly string[];
}

/** Kind, default, YAML path (`=`: the flag's name), first release, help, choices. */
type Row = readonly [FlagKind, string, string, string, string, (readonly string[])?];

const CTS = 'client-transport-security';
const PTS = 'peer-transport-security';
const DISCOVERY = 'discovery-config.client';
const LOCAL_PEER = 'http://localhost:2380';
const LOCAL_CLIENT = 'http://localhost:2379';
const DEFAULT_ROTATION =
  '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}';

const MEMBER: Readonly<Record<string, Row>> = {
  name: ['string', 'default', '=', '2', 'Name of this member, unique in the cluster.'],
  'data-dir': ['string', '', '=', '2', 'Data directory; empty: the name with .etcd.'],
  'wal-dir': ['string', '', '=', '2', 'Separate directory of the write-ahead log.'],
  'snapshot-count': ['uint64', '10000', '=', '2', 'Applied entries between snapshots on disk.'],
  'snapshot-catchup-entries': [
    'uint64',
    '5000',
    '=',
    '3.6',
    'Entries kept for slow followers after the log is compacted.',
  ],
  'heartbeat-interval': ['uint', '100', '=', '2', 'Heartbeat interval in milliseconds.'],
  'election-timeout': ['uint', '1000', '=', '2', 'Election timeout in milliseconds.'],
  'initial-election-tick-advance': [
    'bool',
    'true',
    '=',
    '3.4,3.3.4,3.2.19,3.1.14',
    'Fast-forward the first election at boot.',
  ],
  'listen-peer-urls': ['urls', LOCAL_PEER, '=', '2', 'URLs to listen on for other members.'],
  'listen-client-urls': ['urls', LOCAL_CLIENT, '=', '2', 'URLs to listen on for clients.'],
  'listen-client-http-urls': [
    'urls',
    '',
    '=',
    '3.6,3.5.8,3.4.25',
    'URLs for HTTP clients alone; takes HTTP off the other client URLs.',
  ],
  'listen-metrics-urls': ['urls', '', '=', '3.3', 'Further URLs for metrics and health.'],
  'max-snapshots': ['uint', '5', '=', '2', 'Snapshot files to keep, 0 for all. Deprecated.'],
  'max-wals': ['uint', '5', '=', '2', 'Log files to keep, 0 for all.'],
  'quota-backend-bytes': [
    'int64',
    '0',
    '=',
    '3.0',
    'Database size that raises the space alarm; 0: 2 GiB, below 0: none.',
  ],
  'backend-bbolt-freelist-type': ['string', '', '=', '3.5', 'Freelist of bbolt: array or map.'],
  'backend-batch-interval': [
    'duration',
    '0s',
    '=',
    '3.4',
    'Longest time between backend commits; 0: 100ms.',
  ],
  'backend-batch-limit': [
    'int',
    '0',
    '=',
    '3.4',
    'Most operations between backend commits; 0: 10000.',
  ],
  'max-txn-ops': ['uint', '128', '=', '3.3', 'Operations in a branch of a transaction.'],
  'max-request-bytes': ['uint', '1572864', '=', '3.3,3.2.10', 'Largest request in bytes.'],
  'max-concurrent-streams': [
    'uint32',
    '4294967295',
    '=',
    '3.6,3.5.5,3.4.20',
    'Streams of one client connection.',
  ],
  'grpc-keepalive-min-time': [
    'duration',
    '5s',
    '=',
    '3.3,3.2.10',
    'Shortest gap between the pings of a client.',
  ],
  'grpc-keepalive-interval': [
    'duration',
    '2h0m0s',
    '=',
    '3.3,3.2.10',
    'Gap between pings to a client; 0: none.',
  ],
  'grpc-keepalive-timeout': [
    'duration',
    '20s',
    '=',
    '3.3,3.2.10',
    'Wait for the answer to a ping before closing; 0: no pings.',
  ],
  'socket-reuse-port': [
    'bool',
    'false',
    'socket-options.reuse-port',
    '3.5',
    'Set SO_REUSEPORT on listeners.',
  ],
  'socket-reuse-address': [
    'bool',
    'false',
    'socket-options.reuse-address',
    '3.5',
    'Set SO_REUSEADDR on listeners.',
  ],
  'raft-read-timeout': ['duration', '5s', '', '3.5', 'Read timeout of peer connections.'],
  'raft-write-timeout': ['duration', '5s', '', '3.5', 'Write timeout of peer connections.'],
  'memory-mlock': ['bool', 'false', '=', '3.6', 'Lock backend pages in memory.'],
};

const CLUSTERING: Readonly<Record<string, Row>> = {
  'initial-advertise-peer-urls': [
    'urls',
    LOCAL_PEER,
    '=',
    '2',
    'Own peer URLs, as told to the cluster.',
  ],
  'advertise-client-urls': [
    'urls',
    LOCAL_CLIENT,
    '=',
    '2',
    'Own client URLs, as told to the cluster.',
  ],
  'initial-cluster': [
    'string',
    `default=${LOCAL_PEER}`,
    '=',
    '2',
    'Members at bootstrap: name=url,name=url.',
  ],
  'initial-cluster-state': [
    'choice',
    'new',
    '=',
    '2',
    'Start a new cluster or join an existing one.',
    ['new', 'existing'],
  ],
  'initial-cluster-token': ['string', 'etcd-cluster', '=', '2', 'Text hashed into member ids.'],
  'strict-reconfig-check': [
    'bool',
    'true',
    '=',
    '2',
    'Reject member changes that would lose quorum.',
  ],
  'pre-vote': ['bool', 'true', '=', '3.4', 'Ask for votes before disturbing a leader.'],
  'discovery-token': ['string', '', 'discovery-config.token', '3.6', 'Discovery token.'],
  'discovery-endpoints': [
    'uniqueList',
    '',
    `${DISCOVERY}.endpoints`,
    '3.6',
    'Endpoints of the discovery service.',
  ],
  'discovery-dial-timeout': [
    'duration',
    '2s',
    `${DISCOVERY}.dial-timeout`,
    '3.6',
    'Dial timeout of discovery.',
  ],
  'discovery-request-timeout': [
    'duration',
    '5s',
    `${DISCOVERY}.request-timeout`,
    '3.6',
    'Request timeout of discovery.',
  ],
  'discovery-keepalive-time': [
    'duration',
    '2s',
    `${DISCOVERY}.keepalive-time`,
    '3.6',
    'Ping gap of discovery connections.',
  ],
  'discovery-keepalive-timeout': [
    'duration',
    '6s',
    `${DISCOVERY}.keepalive-timeout`,
    '3.6',
    'Ping timeout of discovery connections.',
  ],
  'discovery-insecure-transport': [
    'bool',
    'true',
    `${DISCOVERY}.secure.insecure-transport`,
    '3.6',
    'No TLS to the discovery service.',
  ],
  'discovery-insecure-skip-tls-verify': [
    'bool',
    'false',
    `${DISCOVERY}.secure.insecure-skip-tls-verify`,
    '3.6',
    'Do not verify the discovery service.',
  ],
  'discovery-cert': ['string', '', `${DISCOVERY}.secure.cert`, '3.6', 'Discovery certificate.'],
  'discovery-key': ['string', '', `${DISCOVERY}.secure.key`, '3.6', 'Discovery key.'],
  'discovery-cacert': ['string', '', `${DISCOVERY}.secure.cacert`, '3.6', 'Discovery CA.'],
  'discovery-user': ['string', '', `${DISCOVERY}.auth.username`, '3.6', 'Discovery user.'],
  'discovery-password': [
    'string',
    '',
    `${DISCOVERY}.auth.password`,
    '3.6',
    'Password of the discovery user.',
  ],
  'discovery-srv': ['string', '', '=', '2', 'DNS domain whose SRV records list the members.'],
  'discovery-srv-name': ['string', '', '=', '3.4', 'Suffix of the SRV service name.'],
  'discovery-fallback': [
    'choice',
    'exit',
    '',
    '2',
    'What to do when discovery fails.',
    ['exit', 'proxy'],
  ],
  'max-learners': ['int', '1', '=', '3.6', 'Most learners in the cluster.'],
  'force-new-cluster': ['bool', 'false', '=', '2', 'Make a one-member cluster of this member.'],
  'v2-deprecation': [
    'choices',
    '',
    '',
    '3.5',
    'Of no effect. Deprecated.',
    ['write-only', 'write-only-skip-check', 'write-only-drop-data', 'gone'],
  ],
};

const SECURITY: Readonly<Record<string, Row>> = {
  'cert-file': ['string', '', `${CTS}.cert-file`, '2', 'Certificate of client listeners.'],
  'key-file': ['string', '', `${CTS}.key-file`, '2', 'Key of client listeners.'],
  'client-cert-file': [
    'string',
    '',
    `${CTS}.client-cert-file`,
    '3.5',
    'Certificate with which the member dials itself.',
  ],
  'client-key-file': ['string', '', `${CTS}.client-key-file`, '3.5', 'Key of that certificate.'],
  'trusted-ca-file': ['string', '', `${CTS}.trusted-ca-file`, '2', 'CA of client certificates.'],
  'client-cert-auth': [
    'bool',
    'false',
    `${CTS}.client-cert-auth`,
    '2',
    'Require client certificates.',
  ],
  'client-crl-file': ['string', '', '', '3.3', 'Revocation list of client certificates.'],
  'client-cert-allowed-hostname': [
    'list',
    '',
    `${CTS}.allowed-hostname`,
    '3.4',
    'Host names allowed in client certificates.',
  ],
  'auto-tls': ['bool', 'false', `${CTS}.auto-tls`, '2', 'TLS to clients, self-signed.'],
  'peer-cert-file': ['string', '', `${PTS}.cert-file`, '2', 'Certificate of peer listeners.'],
  'peer-key-file': ['string', '', `${PTS}.key-file`, '2', 'Key of peer listeners.'],
  'peer-client-cert-file': [
    'string',
    '',
    `${PTS}.client-cert-file`,
    '3.5',
    'Certificate with which the member dials peers.',
  ],
  'peer-client-key-file': [
    'string',
    '',
    `${PTS}.client-key-file`,
    '3.5',
    'Key of that certificate.',
  ],
  'peer-trusted-ca-file': ['string', '', `${PTS}.trusted-ca-file`, '2', 'CA of peers.'],
  'peer-client-cert-auth': [
    'bool',
    'false',
    `${PTS}.client-cert-auth`,
    '2',
    'Require certificates of peers.',
  ],
  'peer-crl-file': ['string', '', '', '3.3', 'Revocation list of peer certificates.'],
  'peer-cert-allowed-cn': ['list', '', `${PTS}.allowed-cn`, '3.3', 'Common names of peers.'],
  'peer-cert-allowed-hostname': [
    'list',
    '',
    `${PTS}.allowed-hostname`,
    '3.4',
    'Host names allowed in peer certificates.',
  ],
  'peer-auto-tls': ['bool', 'false', `${PTS}.auto-tls`, '2', 'TLS between peers, self-signed.'],
  'peer-skip-client-san-verification': [
    'bool',
    'false',
    `${PTS}.skip-client-san-verification`,
    '3.6',
    'Do not compare the names in peer certificates with addresses.',
  ],
  'self-signed-cert-validity': [
    'uint',
    '1',
    '=',
    '3.5',
    'Validity of self-signed certificates in years.',
  ],
  'cipher-suites': ['list', '', '=', '3.4,3.3.7,3.2.22', 'Cipher suites up to TLS 1.2.'],
  'tls-min-version': ['string', 'TLS1.2', '=', '3.6,3.5.8,3.4.25', 'Lowest TLS version.'],
  'tls-max-version': ['string', '', '=', '3.6,3.5.8,3.4.25', 'Highest TLS version.'],
  cors: ['origins', '*', '=', '2', 'Allowed origins of browsers, as URLs, or *.'],
  'host-whitelist': [
    'uniqueList',
    '*',
    '=',
    '3.4',
    'Host names that plaintext HTTP requests may use, or *.',
  ],
  'auth-token': ['string', 'simple', '=', '3.2', 'Kind of auth tokens, with its options.'],
  'auth-token-ttl': ['uint', '300', '=', '3.5,3.4.10,3.3.23', 'Life of a simple token in seconds.'],
  'bcrypt-cost': ['uint', '10', '=', '3.4', 'Cost of password hashes, 4 to 31.'],
};

const OBSERVING: Readonly<Record<string, Row>> = {
  logger: ['string', 'zap', '=', '3.4', 'Only zap.'],
  'log-outputs': [
    'uniqueList',
    'default',
    '=',
    '3.4',
    'default, stderr, stdout, systemd/journal or files.',
  ],
  'log-level': ['string', 'info', '=', '3.4', 'debug, info, warn, error, panic or fatal.'],
  'log-format': ['string', 'json', '=', '3.6', 'json or console.'],
  'enable-log-rotation': ['bool', 'false', '=', '3.5', 'Rotate the one log file.'],
  'log-rotation-config-json': ['string', DEFAULT_ROTATION, '=', '3.5', 'Parameters of rotation.'],
  'enable-pprof': ['bool', 'false', '=', '2', 'Serve /debug/pprof on client listeners.'],
  metrics: ['string', 'basic', '=', '3.1', 'extensive adds the latency of each RPC.'],
  'enable-distributed-tracing': ['bool', 'false', '=', '3.6', 'Send OpenTelemetry traces.'],
  'distributed-tracing-address': ['string', 'localhost:4317', '=', '3.6', 'Trace collector.'],
  'distributed-tracing-service-name': ['string', 'etcd', '=', '3.6', 'Service name in traces.'],
  'distributed-tracing-instance-id': ['string', '', '=', '3.6', 'Instance id in traces.'],
  'distributed-tracing-sampling-rate': ['int', '0', '=', '3.6', 'Traced requests per million.'],
  'warning-apply-duration': ['duration', '100ms', '=', '3.6', 'Slow applies are logged from here.'],
  'warning-unary-request-duration': [
    'duration',
    '300ms',
    '=',
    '3.6',
    'Slow requests are logged from here.',
  ],
};

const FEATURES: Readonly<Record<string, Row>> = {
  'auto-compaction-mode': ['string', 'periodic', '=', '3.3', 'periodic or revision.'],
  'auto-compaction-retention': [
    'string',
    '0',
    '=',
    '3.0',
    'What to keep: hours, a duration or a number of revisions; 0: all.',
  ],
  'compaction-batch-limit': ['int', '0', '=', '3.6', 'Revisions per compaction batch; 0: 1000.'],
  'compaction-sleep-interval': [
    'duration',
    '0s',
    '=',
    '3.6',
    'Pause between compaction batches; 0: 10ms.',
  ],
  'corrupt-check-time': ['duration', '0s', '=', '3.6', 'Gap between corruption checks; 0: none.'],
  'compact-hash-check-time': [
    'duration',
    '1m0s',
    '=',
    '3.6',
    'Gap between checks of compaction hashes.',
  ],
  'watch-progress-notify-interval': [
    'duration',
    '0s',
    '=',
    '3.6',
    'Gap between progress notifications of watches; 0: 10m.',
  ],
  'downgrade-check-time': ['duration', '5s', '=', '3.6', 'Gap between downgrade checks; 0: none.'],
  'bootstrap-defrag-threshold-megabytes': [
    'uint',
    '0',
    '=',
    '3.6',
    'Defragment at boot if that many MiB can be freed.',
  ],
  'enable-grpc-gateway': ['bool', 'true', '=', '3.4', 'Serve the JSON gateway.'],
  'feature-gates': ['featureGates', '', '=', '3.6', 'Features on or off: A=true,B=false.'],
  'unsafe-no-fsync': ['bool', 'false', '=', '3.5,3.4.10', 'Never sync files. Loses data.'],
};

const OTHER: Readonly<Record<string, Row>> = {
  'config-file': ['string', '', '', '3.0', 'YAML file that replaces flags and environment.'],
  version: ['bool', 'false', '', '2', 'Print the version and exit.'],
};

const IGNORED = [
  'cluster-active-size',
  'cluster-remove-delay',
  'cluster-sync-interval',
  'config',
  'force',
  'max-result-buffer',
  'max-retry-attempts',
  'peer-heartbeat-interval',
  'peer-election-timeout',
  'retry-interval',
  'snapshot',
  'v',
  'vv',
  'test.coverprofile',
  'test.outputdir',
];

function section(name: FlagSection, rows: Readonly<Record<string, Row>>): FlagSpec[] {
  return Object.entries(rows).map(([flag, [kind, defaultText, yaml, since, help, choices]]) => ({
    name: flag,
    kind,
    section: name,
    defaultText,
    yaml: yaml === '=' ? flag : yaml === '' ? undefined : yaml,
    since,
    help,
    choices: choices ?? [],
  }));
}

/** Every flag of the server, in the order of the help text. */
export const FLAG_SPECS: readonly FlagSpec[] = [
  ...section('Member', MEMBER),
  ...section('Clustering', CLUSTERING),
  ...section('Security', SECURITY),
  ...section('Logging, monitoring and tracing', OBSERVING),
  ...section('Features', FEATURES),
  ...section('Other', OTHER),
  ...IGNORED.map(
    (name): FlagSpec => ({
      name,
      kind: 'ignored',
      section: 'Other',
      defaultText: '',
      yaml: undefined,
      since: '2',
      help: '',
      choices: [],
    }),
  ),
];
