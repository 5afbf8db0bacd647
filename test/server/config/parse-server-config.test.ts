import { describe, expect, it } from 'vitest';
import {
  type ParsedServerConfig,
  parseServerConfig,
} from '../../../src/server/config/parse-server-config.js';
import type { ServerConfig } from '../../../src/server/config/server-config.js';

type Environment = Readonly<Record<string, string>>;

const noFile = (path: string): string => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
};

function parse(argv: readonly string[], environment: Environment = {}): ParsedServerConfig {
  return parseServerConfig(argv, environment, noFile);
}

function parseFile(yaml: string, argv: readonly string[] = []): ParsedServerConfig {
  return parseServerConfig([...argv, '--config-file=etcd.yml'], {}, () => yaml);
}

function config(parsed: ParsedServerConfig): ServerConfig {
  if (parsed.kind === 'exit') throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

/** What neither flags nor a file set. */
const NO_TLS = {
  certFile: '',
  keyFile: '',
  clientCertFile: '',
  clientKeyFile: '',
  trustedCaFile: '',
  clientCertAuth: false,
  crlFile: '',
  allowedCommonNames: [],
  allowedHostnames: [],
  isAutomatic: false,
  selfSignedYears: 1,
  skipClientSanVerification: false,
  cipherSuites: [],
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
};

/** The text of the error that ended the program with code 1. */
function verifyError(parsed: ParsedServerConfig): unknown {
  expect(parsed).toMatchObject({ kind: 'exit', code: 1, stdout: '', stderr: '' });
  const line = parsed.logs.find(({ message }) => message === 'failed to verify flags');
  expect(line?.level).toBe('warn');
  return line?.fields?.error;
}

const messages = (parsed: ParsedServerConfig) => parsed.logs.map(({ message }) => message);

describe('flag syntax', () => {
  it.each([
    [['--foo'], 'flag provided but not defined: -foo'],
    [['-foo=1'], 'flag provided but not defined: -foo'],
    [
      ['--experimental-corrupt-check-time=1s'],
      'flag provided but not defined: -experimental-corrupt-check-time',
    ],
    [['--discovery=x'], 'flag provided but not defined: -discovery'],
    [['--name'], 'flag needs an argument: -name'],
    [['---x'], 'bad flag syntax: ---x'],
    [['-=x'], 'bad flag syntax: -=x'],
    [['--pre-vote=x'], 'invalid boolean value "x" for -pre-vote: parse error'],
    [['--version=x'], 'invalid boolean value "x" for -version: parse error'],
    [['--heartbeat-interval=x'], 'invalid value "x" for flag -heartbeat-interval: parse error'],
    [
      ['--heartbeat-interval', '-1'],
      'invalid value "-1" for flag -heartbeat-interval: parse error',
    ],
    [
      ['--heartbeat-interval=99999999999999999999'],
      'invalid value "99999999999999999999" for flag -heartbeat-interval: value out of range',
    ],
    [
      ['--max-concurrent-streams=x'],
      'invalid value "x" for flag -max-concurrent-streams: strconv.ParseUint: parsing "x": invalid syntax',
    ],
    [
      ['--max-concurrent-streams=4294967296'],
      'invalid value "4294967296" for flag -max-concurrent-streams: strconv.ParseUint: parsing "4294967296": value out of range',
    ],
    [
      ['--backend-batch-interval=5'],
      'invalid value "5" for flag -backend-batch-interval: parse error',
    ],
    [
      ['--listen-client-urls=127.0.0.1:2379'],
      'invalid value "127.0.0.1:2379" for flag -listen-client-urls: parse "127.0.0.1:2379": first path segment in URL cannot contain colon',
    ],
    [
      ['--listen-client-urls=localhost:1'],
      'invalid value "localhost:1" for flag -listen-client-urls: URL scheme must be http, https, unix, or unixs: localhost:1',
    ],
    [
      ['--listen-client-urls=http://a:b'],
      'invalid value "http://a:b" for flag -listen-client-urls: parse "http://a:b": invalid port ":b" after host',
    ],
    [
      ['--listen-client-urls=http://a:1/x'],
      'invalid value "http://a:1/x" for flag -listen-client-urls: URL must not contain a path: http://a:1/x',
    ],
    [
      ['--cors=https://example.com'],
      'invalid value "https://example.com" for flag -cors: URL address does not have the form "host:port": https://example.com',
    ],
    [
      ['--initial-cluster-state=foo'],
      'invalid value "foo" for flag -initial-cluster-state: invalid value',
    ],
    [
      ['--v2-deprecation=not-yet'],
      'invalid value "not-yet" for flag -v2-deprecation: invalid value "not-yet"',
    ],
    [
      ['--feature-gates=Foo=true'],
      'invalid value "Foo=true" for flag -feature-gates: unrecognized feature gate: Foo',
    ],
    [
      ['--feature-gates=LeaseCheckpoint'],
      'invalid value "LeaseCheckpoint" for flag -feature-gates: missing bool value for LeaseCheckpoint',
    ],
    [
      ['--feature-gates=LeaseCheckpoint=maybe'],
      'invalid value "LeaseCheckpoint=maybe" for flag -feature-gates: invalid value of LeaseCheckpoint=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])('%j', (argv, text) => {
    const parsed = parse(argv);
    expect(parsed).toMatchObject({ kind: 'exit', code: 2, stdout: '' });
    if (parsed.kind === 'exit') {
      expect(parsed.stderr.split('\n')[0]).toBe(text);
      expect(parsed.stderr).toContain('\nUsage:\n\n  etcd [flags]\n');
    }
  });

  it('takes one dash or two, the value apart or behind =', () => {
    const { name, dataDir, preVote } = config(
      parse(['-name', 'a', '--data-dir=d=e', '-pre-vote=F', '--vv', '--snapshot=x', '--']),
    );
    expect({ name, dataDir, preVote }).toEqual({ name: 'a', dataDir: 'd=e', preVote: false });
  });

  it('takes a boolean only behind =', () => {
    expect(verifyError(parse(['--pre-vote', 'false']))).toBe('"false" is not a valid flag');
    expect(verifyError(parse(['--name=a', '--', '--pre-vote']))).toBe(
      '"--pre-vote" is not a valid flag',
    );
  });

  it('reads integers with the prefixes of Go', () => {
    const parsed = parse([
      '--max-txn-ops=0x10',
      '--max-wals=0b11',
      '--snapshot-count=0o17',
      '--max-learners=010',
      '--quota-backend-bytes=-1_000',
    ]);
    expect(config(parsed)).toMatchObject({
      maxTxnOps: 16,
      maxWalFiles: 3,
      snapshotCount: 15,
      maxLearners: 8,
      quotaBackendBytes: -1000,
    });
  });

  it('prints help and version', () => {
    for (const word of ['-h', '--help']) {
      const help = parse(['--name=x', word]);
      expect(help).toMatchObject({ kind: 'exit', code: 0 });
      if (help.kind === 'exit') {
        expect(help.stderr).toMatch(/^Usage:/);
        expect(help.stdout).toContain("  --election-timeout '1000'\n");
      }
    }
    expect(
      parseServerConfig(['--version'], {}, noFile, {
        gitSha: 'abc',
        runtime: 'node20',
        platform: 'linux/x64',
      }),
    ).toEqual({
      kind: 'exit',
      code: 0,
      stdout: 'etcd Version: 3.7.1\nGit SHA: abc\nGo Version: node20\nGo OS/Arch: linux/x64\n',
      stderr: '',
      logs: [],
    });
  });
});

describe('defaults', () => {
  it('are those of etcd', () => {
    const parsed = parse([]);
    const { explicitFeatures, ...rest } = config(parsed);
    expect([...explicitFeatures]).toEqual([]);
    const url = (host: string) => ({ scheme: 'http', host, path: '', text: `http://${host}` });
    expect(rest).toEqual({
      name: 'default',
      audit: { output: undefined, reads: true, rotation: undefined },
      dataDir: 'default.etcd',
      walDir: undefined,
      snapshotCount: 10_000,
      snapshotCatchUpEntries: 5000,
      maxSnapshotFiles: 5,
      maxWalFiles: 5,
      heartbeatMillis: 100,
      electionMillis: 1000,
      electionTicks: 10,
      initialElectionTickAdvance: true,
      preVote: true,
      listenPeerUrls: [url('localhost:2380')],
      listenClientUrls: [url('localhost:2379')],
      listenClientHttpUrls: [],
      listenMetricsUrls: [],
      advertisePeerUrls: [url('localhost:2380')],
      advertiseClientUrls: [url('localhost:2379')],
      raftReadTimeoutMillis: 5000,
      raftWriteTimeoutMillis: 5000,
      initialClusterText: 'default=http://localhost:2380',
      initialCluster: new Map([['default', [url('localhost:2380')]]]),
      initialClusterState: 'new',
      initialClusterToken: 'etcd-cluster',
      strictReconfigCheck: true,
      maxLearners: 1,
      forceNewCluster: false,
      quotaBackendBytes: 0,
      backendBatchMillis: 100,
      backendBatchLimit: 10_000,
      backendFreelistType: 'map',
      bootstrapDefragThresholdMegabytes: 0,
      unsafeNoFsync: false,
      maxTxnOps: 128,
      maxRequestBytes: 1_572_864,
      maxConcurrentStreams: 4_294_967_295,
      keepAlive: { minTimeMillis: 5000, intervalMillis: 7_200_000, timeoutMillis: 20_000 },
      warningApplyMillis: 100,
      warningUnaryRequestMillis: 300,
      requestTimeoutMillis: 7000,
      autoCompaction: undefined,
      compactionBatchLimit: 1000,
      compactionSleepMillis: 10,
      corruptCheckMillis: 0,
      compactHashCheckMillis: 60_000,
      watchProgressNotifyMillis: 600_000,
      downgradeCheckMillis: 5000,
      authToken: 'simple',
      clientTls: NO_TLS,
      peerTls: NO_TLS,
      authTokenTtlSeconds: 300,
      bcryptCost: 10,
      cors: ['*'],
      hostWhitelist: ['*'],
      enableGrpcGateway: true,
      metrics: 'basic',
      log: {
        level: 'info',
        format: 'json',
        formatIsSet: false,
        outputs: ['default'],
        rotation: undefined,
      },
      features: {
        CompactHashCheck: false,
        FastLeaseKeepAlive: true,
        InitialCorruptCheck: false,
        LeaseCheckpoint: false,
        LeaseCheckpointPersist: false,
        PriorityRequest: false,
        SetMemberLocalAddr: false,
        StopGRPCServiceOnDefrag: false,
        TxnModeWriteWithSharedBuffer: true,
      },
    });
    expect(messages(parsed)).toEqual([
      'Running http and grpc server on single port. This is not recommended for production.',
      "it isn't recommended to use default name, please set a value for --name. Note that etcd might run into issue when multiple members have the same default name",
      'Running: ',
      "'data-dir' was empty; using default",
    ]);
  });

  it('follow the name', () => {
    const { dataDir, initialClusterText } = config(
      parse([
        '--name=n1',
        '--initial-advertise-peer-urls=http://10.0.0.2:2380,http://10.0.0.1:2380,http://10.0.0.2:2380',
      ]),
    );
    expect(dataDir).toBe('n1.etcd');
    expect(initialClusterText).toBe('n1=http://10.0.0.1:2380,n1=http://10.0.0.2:2380');
  });
});

describe('values', () => {
  const client = (list: string) => [
    `--listen-client-urls=${list}`,
    '--advertise-client-urls=http://a:1',
  ];

  it('sorts URLs, drops doubles, keeps the default for an empty list', () => {
    const texts = (list: string) =>
      config(parse(client(list))).listenClientUrls.map(({ text }) => text);
    expect(texts('http://127.0.0.1:3 , http://127.0.0.1:1,http://127.0.0.1:3')).toEqual([
      'http://127.0.0.1:1',
      'http://127.0.0.1:3',
    ]);
    expect(texts('')).toEqual(['http://localhost:2379']);
  });

  it('reads unix sockets', () => {
    expect(config(parse(client('unix:///a/b.sock,unix://etcd.unix:1'))).listenClientUrls).toEqual([
      { scheme: 'unix', host: '', path: '/a/b.sock', text: 'unix:///a/b.sock' },
      { scheme: 'unix', host: 'etcd.unix:1', path: '', text: 'unix://etcd.unix:1' },
    ]);
  });

  it('collects the URLs of a name that is given twice', () => {
    const { initialCluster } = config(
      parse(['--initial-cluster=a=http://h:2,b=http://h:3,a=http://h:1']),
    );
    expect([...initialCluster].map(([name, urls]) => [name, urls.map(({ text }) => text)])).toEqual(
      [
        ['a', ['http://h:1', 'http://h:2']],
        ['b', ['http://h:3']],
      ],
    );
  });

  it.each([
    ['periodic', '0', undefined],
    ['periodic', '2', { mode: 'periodic', retentionMillis: 7_200_000 }],
    ['periodic', '90s', { mode: 'periodic', retentionMillis: 90_000 }],
    ['revision', '1000', { mode: 'revision', retentionRevisions: 1000 }],
  ])('auto compaction %s %s', (mode, retention, expected) => {
    const parsed = parse([
      `--auto-compaction-mode=${mode}`,
      `--auto-compaction-retention=${retention}`,
    ]);
    expect(config(parsed).autoCompaction).toEqual(expected);
  });

  it('resolves feature gates: explicit, then the stage, then the default', () => {
    const { features, explicitFeatures } = config(
      parse([
        '--feature-gates=AllAlpha=true, LeaseCheckpointPersist = false ,AllBeta=0,FastLeaseKeepAlive=true',
      ]),
    );
    expect(features).toMatchObject({
      CompactHashCheck: true,
      LeaseCheckpointPersist: false,
      FastLeaseKeepAlive: true,
      TxnModeWriteWithSharedBuffer: false,
    });
    expect(explicitFeatures.get('AllAlpha')).toBe(true);
  });

  it('raises what is too small and replaces what is out of range', () => {
    const parsed = parse([
      '--raft-read-timeout=1s',
      '--watch-progress-notify-interval=1ms',
      '--bcrypt-cost=3',
      '--max-request-bytes=20000000',
    ]);
    expect(config(parsed)).toMatchObject({
      raftReadTimeoutMillis: 5000,
      watchProgressNotifyMillis: 100,
      bcryptCost: 10,
      maxRequestBytes: 20_000_000,
    });
    expect(messages(parsed)).toEqual(
      expect.arrayContaining([
        'raft-read-timeout increased to minimum value: 5s',
        'adjusting watch progress notify interval to minimum period',
        'use default bcrypt cost instead of the invalid given cost',
        'exceeded recommended request limit',
      ]),
    );
  });

  it('reads logging', () => {
    expect(
      config(
        parse([
          '--log-outputs=stderr,/tmp/a.log',
          '--log-level=WARNING',
          '--log-format=console',
          '--enable-log-rotation',
          '--log-rotation-config-json={"maxsize": 1, "maxbackups": 3, "compress": true}',
        ]),
      ).log,
    ).toEqual({
      level: 'warn',
      format: 'console',
      formatIsSet: true,
      outputs: ['/tmp/a.log', 'stderr'],
      rotation: {
        maxSizeMegabytes: 1,
        maxAgeDays: 0,
        maxBackups: 3,
        localTime: false,
        compress: true,
      },
    });
  });

  it('reads the audit log, from flags and from a file', () => {
    const audit = { output: '/tmp/audit', reads: false, rotation: { maxSizeMegabytes: 100 } };
    const flags = [
      '--audit-log=/tmp/audit',
      '--audit-log-reads=false',
      '--audit-log-rotation-config-json={}',
    ];
    expect(config(parse(flags)).audit).toMatchObject(audit);
    const file =
      "{audit-log: /tmp/audit, audit-log-reads: false, audit-log-rotation-config-json: '{}'}";
    const fromFile = parseServerConfig(['--config-file=f'], {}, () => file);
    expect(fromFile).toMatchObject({ kind: 'config', config: { audit } });
    const environment = { ETCD_AUDIT_LOG: '-', ETCD_AUDIT_LOG_READS: 'false' };
    const fromEnvironment = parseServerConfig([], environment, () => '');
    expect(fromEnvironment).toMatchObject({ config: { audit: { output: '-', reads: false } } });
  });

  it('warns of deprecated flags', () => {
    expect(messages(parse(['--max-snapshots=3', '--v2-deprecation=gone']))).toEqual(
      expect.arrayContaining([
        '--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.',
        '--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.',
      ]),
    );
  });
});

describe('validation', () => {
  it.each([
    [['--logger=capnslog'], '--logger=capnslog is removed in v3.5'],
    [['--logger=x'], 'unknown logger option "x"'],
    [['--log-outputs=default,stdout'], 'multi logoutput for "default" is not supported yet'],
    [
      ['--enable-log-rotation'],
      '--log-outputs requires a single file path when --log-rotate-config-json is defined',
    ],
    [
      ['--audit-log=-', '--audit-log-rotation-config-json={}'],
      '--audit-log-rotation-config-json requires a file path as --audit-log',
    ],
    [
      ['--audit-log=/a', '--audit-log-rotation-config-json={"maxsize": true}'],
      'invalid log rotation config: json: cannot unmarshal bool into Go struct field logRotationConfig.maxsize of type int',
    ],
    [['--log-format=x'], 'unknown log format: x, supported values json, console'],
    [
      ['--listen-peer-urls=http://example.com:2379'],
      'expected IP in URL for binding (http://example.com:2379)',
    ],
    [['--listen-peer-urls=http://:2379'], 'expected IP in URL for binding (http://:2379)'],
    [
      ['--listen-metrics-urls=http://example.com:1'],
      'expected IP in URL for binding (http://example.com:1)',
    ],
    [
      ['--initial-advertise-peer-urls=http://:2380'],
      '--initial-advertise-peer-urls ["http://:2380"] must be "host:port" (unexpected empty host (http://:2380))',
    ],
    [
      ['--advertise-client-urls=http://:2379,http://a:1'],
      '--advertise-client-urls ["http://:2379" "http://a:1"] must be in the format "host:port", "unix:/path/to/socket" or "unixs:/path/to/socket" (unexpected empty host (http://:2379))',
    ],
    [
      ['--initial-cluster=a=http://h:1', '--discovery-srv=x'],
      'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    ],
    [['--discovery-token=x'], 'both --discovery-token and --discovery-endpoints must be set'],
    [
      ['--discovery-token=x', '--discovery-endpoints=a,'],
      '--discovery-endpoints must not contain empty endpoints',
    ],
    [['--heartbeat-interval=0'], '--heartbeat-interval must be >0 (set to 0ms)'],
    [['--election-timeout=0'], '--election-timeout must be >0 (set to 0ms)'],
    [
      ['--election-timeout=400'],
      '--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]',
    ],
    [
      ['--election-timeout=50001'],
      '--election-timeout[50001ms] is too long, and should be set less than 50000ms',
    ],
    [
      ['--listen-client-urls=http://127.0.0.1:1'],
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    ],
    [['--auto-compaction-mode='], 'undefined auto-compaction-mode'],
    [['--auto-compaction-mode=x'], 'unknown auto-compaction-mode "x"'],
    [
      ['--enable-distributed-tracing', '--distributed-tracing-sampling-rate=-1'],
      'distributed tracing configurition is not valid: (tracing sampling rate must be positive)',
    ],
    [
      ['--feature-gates=LeaseCheckpointPersist=true'],
      'enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint',
    ],
    [['--compact-hash-check-time=0'], '--compact-hash-check-time must be >0 (set to 0s)'],
    [['--tls-min-version=x'], 'unexpected TLS version "x" (must be one of: TLS1.2, TLS1.3)'],
    [
      ['--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'],
      'min version (TLS1.3) is greater than max version (TLS1.2)',
    ],
    [
      ['--tls-min-version=TLS1.3', '--cipher-suites=a'],
      'cipher suites cannot be configured when only TLS1.3 is enabled',
    ],
    [
      ['--discovery-fallback=proxy'],
      'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"',
    ],
    [
      ['--auto-compaction-retention=x'],
      'error parsing CompactionRetention: time: invalid duration "x"',
    ],
    [
      ['--listen-client-http-urls=http://localhost:2379'],
      'cannot bind both --listen-client-urls and --listen-client-http-urls on the same url http://localhost:2379',
    ],
    [['--initial-cluster=a'], 'URL scheme must be http, https, unix, or unixs: '],
    [['--log-outputs=systemd/journal'], '--log-outputs systemd/journal is not supported yet'],
  ])('%j', (argv, text) => {
    expect(verifyError(parse(argv))).toBe(text);
  });

  it('reports the first fault in the order of etcd', () => {
    const faults = [
      '--log-format=x',
      '--listen-peer-urls=http://example.com:1',
      '--listen-metrics-urls=http://other.com:1',
      '--heartbeat-interval=0',
      '--listen-client-urls=http://127.0.0.1:1',
      '--auto-compaction-mode=x',
      '--compact-hash-check-time=0',
      '--enable-pprof',
    ];
    const texts = faults.map((_, index) => verifyError(parse(faults.slice(index))));
    expect(texts).toEqual([
      expect.stringContaining('log format'),
      expect.stringContaining('example.com'),
      expect.stringContaining('other.com'),
      expect.stringContaining('--heartbeat-interval'),
      expect.stringContaining('--advertise-client-urls is required'),
      expect.stringContaining('auto-compaction-mode'),
      expect.stringContaining('--compact-hash-check-time'),
      expect.stringContaining('--enable-pprof'),
    ]);
  });

  it('says twice that the advertised client URLs are missing', () => {
    expect(messages(parse(['--listen-client-urls=http://127.0.0.1:1'])).slice(-3)).toEqual([
      'Running: ',
      'failed to verify flags',
      'advertise client URLs are not set',
    ]);
  });

  it('panics for an unknown log level', () => {
    expect(parse(['--log-level=x'])).toMatchObject({
      kind: 'exit',
      code: 2,
      stderr: 'panic: unrecognized level: "x"\n',
    });
  });

  it('accepts a reason to be unsupported at its default', () => {
    expect(config(parse(['--auto-tls=false', '--auth-token=jwt,ttl=1m'])).authToken).toBe(
      'jwt,ttl=1m',
    );
  });
});

describe('environment', () => {
  it('sets what the command line left alone', () => {
    const parsed = parse(['--name=a'], {
      ETCD_DATA_DIR: '/d',
      ETCD_PRE_VOTE: 'false',
      HOME: '/root',
    });
    expect(config(parsed)).toMatchObject({ name: 'a', dataDir: '/d', preVote: false });
    expect(parsed.logs.slice(0, 2)).toEqual([
      {
        level: 'info',
        message: 'recognized and used environment variable',
        fields: { 'variable-name': 'ETCD_DATA_DIR', 'variable-value': '/d' },
      },
      {
        level: 'info',
        message: 'recognized and used environment variable',
        fields: { 'variable-name': 'ETCD_PRE_VOTE', 'variable-value': 'false' },
      },
    ]);
  });

  it('counts as setting listen-client-urls explicitly', () => {
    expect(verifyError(parse([], { ETCD_LISTEN_CLIENT_URLS: 'http://127.0.0.1:1' }))).toContain(
      'is required',
    );
  });

  it('refuses a bad value', () => {
    expect(verifyError(parse([], { ETCD_HEARTBEAT_INTERVAL: 'x' }))).toBe(
      'invalid value "x" for ETCD_HEARTBEAT_INTERVAL: parse error',
    );
  });

  it.each(['a', 'b', ''])('is fatal next to the flag, whatever it says (%j)', (value) => {
    const parsed = parse(['--name=a'], { ETCD_NAME: value });
    expect(parsed).toMatchObject({ kind: 'exit', code: 1, stdout: '', stderr: '' });
    expect(parsed.logs).toEqual([
      {
        level: 'fatal',
        message:
          'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))',
        fields: { 'environment-variable': 'ETCD_NAME' },
      },
    ]);
  });

  it('warns of variables that mean nothing, empty ones too', () => {
    const { logs } = parse([], { ETCD_FOO: '1', ETCD_NAME: '', ETCD_VERSION: '3' });
    expect(logs.slice(0, 3)).toEqual([
      {
        level: 'warn',
        message: 'cannot set special environment variable',
        fields: { key: 'ETCD_VERSION', value: '3' },
      },
      {
        level: 'warn',
        message: 'unrecognized environment variable',
        fields: { 'environment-variable': 'ETCD_FOO=1' },
      },
      {
        level: 'warn',
        message: 'unrecognized environment variable',
        fields: { 'environment-variable': 'ETCD_NAME=' },
      },
    ]);
  });
});

describe('configuration file', () => {
  it('replaces flags and environment altogether', () => {
    const parsed = parseServerConfig(
      ['--name=flag', '--config-file', 'f'],
      { ETCD_NAME: 'variable', ETCD_DATA_DIR: '/variable' },
      () => 'name: file',
    );
    expect(config(parsed)).toMatchObject({ name: 'file', dataDir: 'file.etcd' });
    expect(parsed.logs[0]).toEqual({
      level: 'info',
      message:
        'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
      fields: { path: 'f' },
    });
  });

  it('comes from a variable too', () => {
    const parsed = parseServerConfig([], { ETCD_CONFIG_FILE: 'f' }, () => 'name: x');
    expect(config(parsed).name).toBe('x');
  });

  it('reads keys in any case, scalars as text, durations as nanoseconds', () => {
    expect(
      config(
        parseFile(`
NAME: n1
unknown-key: [1]
data-dir: null
auto-compaction-retention: 1
grpc-keepalive-min-time: 1000000000
heartbeat-interval: 50
listen-client-urls: http://127.0.0.1:2, http://127.0.0.1:1
log-outputs: [stderr]
host-whitelist: b,a
socket-options:
  reuse-address: true
client-transport-security:
  client-cert-auth: false
`),
      ),
    ).toMatchObject({
      name: 'n1',
      dataDir: 'n1.etcd',
      autoCompaction: { mode: 'periodic', retentionMillis: 3_600_000 },
      keepAlive: { minTimeMillis: 1000 },
      heartbeatMillis: 50,
      listenClientUrls: [{ host: '127.0.0.1:1' }, { host: '127.0.0.1:2' }],
      // Trap: no error here, although the flag would be one.
      advertiseClientUrls: [{ host: 'localhost:2379' }],
      log: { outputs: ['stderr'] },
      hostWhitelist: ['a', 'b'],
    });
  });

  it('takes an empty file', () => {
    expect(config(parseFile('')).name).toBe('default');
  });

  it.each([
    ['name: [', /^error converting YAML to JSON: yaml: /],
    ['just text', /^error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string/],
    [
      'grpc-keepalive-interval: "10m"',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field configYAML.grpc-keepalive-interval of type time.Duration',
    ],
    [
      'max-wals: -1',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number -1 into Go struct field configYAML.max-wals of type uint',
    ],
    [
      'pre-vote: 1',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number 1 into Go struct field configYAML.pre-vote of type bool',
    ],
    [
      'log-outputs: stderr',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field configYAML.log-outputs of type []string',
    ],
    ['peer-transport-security: x', 'invalid peer-transport-security'],
    ['initial-cluster-state: x', 'unexpected clusterState "x"'],
    ['feature-gates: X=true', 'unrecognized feature gate: X'],
  ])('refuses %j', (yaml, text) => {
    expect(verifyError(parseFile(yaml))).toEqual(
      typeof text === 'string' ? text : expect.stringMatching(text),
    );
  });

  it('ends at once for a bad URL, naming it as etcd does', () => {
    expect(parseFile('listen-peer-urls: x')).toMatchObject({
      kind: 'exit',
      code: 1,
      stderr:
        'unexpected error setting up listen-peer-urls: URL scheme must be http, https, unix, or unixs: x\n',
    });
    expect(parseFile('advertise-client-urls: x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('setting up advertise-peer-urls: '),
    });
    expect(parseFile('cors: x')).toMatchObject({ kind: 'exit', code: 2 });
  });

  it('still checks the syntax of the flags', () => {
    expect(parseFile('name: x', ['--foo'])).toMatchObject({ kind: 'exit', code: 2 });
  });

  it('says why a file cannot be read', () => {
    expect(verifyError(parse(['--config-file=/none']))).toBe(
      'open /none: no such file or directory',
    );
  });

  it('boots with the sample file that etcd ships', () => {
    const sample = `
name: 'default'
data-dir:
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379
max-snapshots: 5
max-wals: 5
cors:
initial-advertise-peer-urls: http://localhost:2380
advertise-client-urls: http://localhost:2379
discovery:
discovery-fallback: 'proxy'
discovery-proxy:
discovery-srv:
initial-cluster:
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-pprof: false
proxy: 'off'
proxy-failure-wait: 5000
client-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
peer-transport-security:
  cert-file:
  allowed-cn:
  allowed-hostname:
self-signed-cert-validity: 1
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: "1"
cipher-suites: [
]
tls-min-version: 'TLS1.2'
tls-max-version: 'TLS1.3'
`;
    const parsed = parseFile(sample);
    expect(config(parsed)).toMatchObject({ strictReconfigCheck: false, log: { level: 'debug' } });
  });
});
