import { describe, expect, it } from 'vitest';
import { config, messages, parse } from './support.js';

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
