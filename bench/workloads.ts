import type { CallsJob, WatchJob } from './load/job.js';
import type { RequestShape } from './load/requests.js';

export const WORKLOAD_NAMES = [
  'empty',
  'put-one',
  'put',
  'txn',
  'get',
  'get-serializable',
  'range',
  'watch',
  'audit',
  'million',
  'cluster',
  'files',
] as const;
export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

/** What of a job does not depend on the server. */
type WithoutTarget<Job> = Omit<Job, 'port' | 'serverPids'>;
export type Load = WithoutTarget<CallsJob> | WithoutTarget<WatchJob>;

export interface RateWorkload {
  readonly name: Exclude<WorkloadName, 'audit' | 'million' | 'cluster' | 'files'>;
  readonly title: string;
  readonly unit: string;
  /** Workloads of one group run one after the other on the same data. */
  readonly group: 'write' | 'read' | 'watch';
  /** The share of etcd's rate that this server must reach at least. */
  readonly target?: number;
  readonly load: (settings: RunSettings) => Load;
}

export interface RunSettings {
  readonly seconds: number;
  /** Keys that exist. */
  readonly keys: number;
  /** Number of the run against this server, from 0 on. */
  readonly run: number;
}

const CONNECTIONS = 10;
const STREAMS = 100;
const RANGE_WIDTH = 1000;
const RANGE_STREAMS = 2;
const WATCHERS_PER_CONNECTION = 100;
const MAX_UNDELIVERED_PUTS = 16;
/** Keys below are the ones that reads find; those of transactions must be new in each run. */
const FIRST_FRESH_KEY = 100_000_000;
const FRESH_KEYS_PER_RUN = 10_000_000;
/** Timing each of some ten thousand calls a second would cost the load process too much. */
const SAMPLE_EVERY = 8;
const WARM_UP_SECONDS = 1;

export const RATE_WORKLOADS: readonly RateWorkload[] = [
  {
    name: 'empty',
    title: 'call that does nothing, 1,000 in flight',
    unit: 'calls/s',
    group: 'write',
    load: ({ seconds }) => manyCalls({ type: 'empty' }, seconds),
  },
  {
    name: 'put-one',
    title: 'put, 1 client',
    unit: 'puts/s',
    group: 'write',
    target: 0.9,
    load: ({ seconds, keys }) => oneCall({ type: 'put', keyCount: keys }, seconds),
  },
  {
    name: 'put',
    title: 'put, 1,000 in flight',
    unit: 'puts/s',
    group: 'write',
    target: 0.4,
    load: ({ seconds, keys }) => manyCalls({ type: 'put', keyCount: keys }, seconds),
  },
  {
    name: 'txn',
    title: 'txn, 1,000 in flight',
    unit: 'txns/s',
    group: 'write',
    target: 0.4,
    load: ({ seconds, run }) =>
      manyCalls({ type: 'txn', firstKey: FIRST_FRESH_KEY + run * FRESH_KEYS_PER_RUN }, seconds),
  },
  {
    name: 'get',
    title: 'get, linearizable, 1,000 in flight',
    unit: 'gets/s',
    group: 'read',
    target: 0.4,
    load: ({ seconds, keys }) =>
      manyCalls({ type: 'get', keyCount: keys, serializable: false }, seconds),
  },
  {
    name: 'get-serializable',
    title: 'get, serializable, 1,000 in flight',
    unit: 'gets/s',
    group: 'read',
    target: 0.4,
    load: ({ seconds, keys }) =>
      manyCalls({ type: 'get', keyCount: keys, serializable: true }, seconds),
  },
  {
    name: 'range',
    title: 'range of 1,000 keys, 20 in flight',
    unit: 'ranges/s',
    group: 'read',
    load: ({ seconds, keys }) => ({
      ...manyCalls({ type: 'range', keyCount: keys, width: RANGE_WIDTH }, seconds),
      streams: RANGE_STREAMS,
      sampleEvery: 1,
    }),
  },
  {
    name: 'watch',
    title: '1,000 watchers of one prefix, 1 writer',
    unit: 'events/s',
    group: 'watch',
    load: ({ seconds, keys }) => ({
      kind: 'watch',
      connections: CONNECTIONS,
      watchersPerConnection: WATCHERS_PER_CONNECTION,
      keyCount: keys,
      maxUndelivered: MAX_UNDELIVERED_PUTS,
      seconds: seconds + WARM_UP_SECONDS,
    }),
  },
];

/** Those of the workloads above that are compared with and without an audit log. */
const AUDITED_NAMES: readonly WorkloadName[] = ['put', 'get', 'get-serializable'];
export const AUDITED_WORKLOADS: readonly RateWorkload[] = RATE_WORKLOADS.filter(({ name }) =>
  AUDITED_NAMES.includes(name),
);

/** Puts every key once, at full speed. */
export function fillLoad(keys: number): WithoutTarget<CallsJob> {
  return {
    ...manyCalls({ type: 'put', keyCount: keys }, 0),
    extent: { calls: keys },
  };
}

export function oneCall(shape: RequestShape, seconds: number): WithoutTarget<CallsJob> {
  return {
    kind: 'calls',
    shape,
    connections: 1,
    streams: 1,
    sampleEvery: 1,
    extent: { seconds, warmUpSeconds: WARM_UP_SECONDS },
  };
}

export function manyCalls(shape: RequestShape, seconds: number): WithoutTarget<CallsJob> {
  return {
    kind: 'calls',
    shape,
    connections: CONNECTIONS,
    streams: STREAMS,
    sampleEvery: SAMPLE_EVERY,
    extent: { seconds, warmUpSeconds: WARM_UP_SECONDS },
  };
}
