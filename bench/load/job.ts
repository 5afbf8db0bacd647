import type { RequestShape } from './requests.js';

/** What the load process is asked to do; it does one job and ends. */
export type LoadJob = CallsJob | WatchJob;

interface JobTarget {
  /** Client port of the server on the loopback interface. */
  readonly port: number;
  /** Processes of the server, or of the members of a cluster, whose CPU time is measured. */
  readonly serverPids: readonly number[];
}

/** Unary calls in a closed loop: each completed call is followed by the next one. */
export interface CallsJob extends JobTarget {
  readonly kind: 'calls';
  readonly shape: RequestShape;
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly streams: number;
  /** Every n-th call's latency is taken. */
  readonly sampleEvery: number;
  /** Either for a time, of which `warmUpSeconds` do not count, or for a number of calls. */
  readonly extent:
    | { readonly seconds: number; readonly warmUpSeconds: number }
    | { readonly calls: number };
}

/** One client puts while watchers of the whole prefix receive every event. */
export interface WatchJob extends JobTarget {
  readonly kind: 'watch';
  readonly connections: number;
  readonly watchersPerConnection: number;
  readonly keyCount: number;
  /**
   * Puts whose events have not all been delivered. The writer waits at this bound, so that what is
   * measured is a rate that the server sustains.
   */
  readonly maxUndelivered: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** Calls or events completed in `seconds`. */
  readonly completed: number;
  readonly seconds: number;
  readonly failed: number;
  readonly firstFailure?: string;
  readonly p50Millis: number;
  readonly p99Millis: number;
  /** Octets of gRPC messages received, prefixes included. */
  readonly responseBytes: number;
  /** CPU seconds of the load process; near `seconds` means that it was the bottleneck. */
  readonly clientCpuSeconds: number;
  readonly serverCpuSeconds: number;
}
