import { describe, expect, it } from 'vitest';
import { config, messages, parse, verifyError } from './support.js';

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
