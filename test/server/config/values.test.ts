import { describe, expect, it } from 'vitest';
import { parseServerConfig } from '../../../src/server/config/parse-server-config.js';
import { config, messages, parse } from './support.js';

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
