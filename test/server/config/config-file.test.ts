import { describe, expect, it } from 'vitest';
import { parseServerConfig } from '../../../src/server/config/parse-server-config.js';
import { config, parse, parseFile, verifyError } from './support.js';

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
