import type { Clock } from '../../platform/clock.js';
import { GrpcCode } from '../../proto/errors.js';
import type { MethodObserver, RpcObserver } from '../rpc/rpc-observer.js';
import type { CallContext, MethodKind } from '../rpc/transport.js';
import type { HistogramInstrument, LabelledFamily, NumberInstrument } from './instruments.js';
import type { ServerMetrics } from './server-metrics.js';

/** Bounds of the latency histogram, seconds: those of Go's Prometheus library. */
const LATENCY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Distinct API versions of clients that are counted apart; a client may send any text. */
const MAX_CLIENT_VERSIONS = 100;

const UNKNOWN_VERSION = 'unknown';

const CODES = Object.entries(GrpcCode);

const GRPC_TYPES: Readonly<Record<MethodKind, string>> = {
  unary: 'unary',
  serverStream: 'server_stream',
  bidiStream: 'bidi_stream',
};

/** Services whose methods show up with 0 before anybody calls them. */
const PRECREATED = /^(etcdserverpb\.|grpc\.health\.v1\.Health$)/;

export interface RpcMetricsOptions {
  readonly metrics: ServerMetrics;
  readonly clock: Clock;
  /** `--metrics=extensive`: also the latency of each call. */
  readonly extensive: boolean;
}

interface Families {
  readonly started: LabelledFamily<NumberInstrument>;
  readonly received: LabelledFamily<NumberInstrument>;
  readonly sent: LabelledFamily<NumberInstrument>;
  readonly handled: LabelledFamily<NumberInstrument>;
  readonly seconds: LabelledFamily<HistogramInstrument> | undefined;
}

/** Counts calls, messages and bytes under the names of Go's gRPC metrics (reference: server 7). */
export function createRpcMetrics(options: RpcMetricsOptions): RpcObserver {
  const families = createFamilies(options);
  const versions = new ClientVersions(options.metrics);
  return {
    observeMethod: (path, kind) => new MethodMetrics(options, families, versions, path, kind),
  };
}

function createFamilies({ metrics, extensive }: RpcMetricsOptions): Families {
  const labels = ['grpc_type', 'grpc_service', 'grpc_method'];
  const { registry } = metrics;
  return {
    started: registry.labelledCounter(
      'grpc_server_started_total',
      'Total number of RPCs started on the server.',
      ...labels,
    ),
    received: registry.labelledCounter(
      'grpc_server_msg_received_total',
      'Total number of RPC stream messages received on the server.',
      ...labels,
    ),
    sent: registry.labelledCounter(
      'grpc_server_msg_sent_total',
      'Total number of gRPC stream messages sent by the server.',
      ...labels,
    ),
    handled: registry.labelledCounter(
      'grpc_server_handled_total',
      'Total number of RPCs completed on the server, regardless of success or failure.',
      ...labels,
      'grpc_code',
    ),
    seconds: extensive
      ? registry.labelledHistogram(
          'grpc_server_handling_seconds',
          'Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.',
          LATENCY_SECONDS,
          ...labels,
        )
      : undefined,
  };
}

class ClientVersions {
  readonly #requests: LabelledFamily<NumberInstrument>;
  readonly #byKind = {
    unary: new Map<string, NumberInstrument>(),
    stream: new Map<string, NumberInstrument>(),
  };

  constructor(metrics: ServerMetrics) {
    this.#requests = metrics.registry.labelledCounter(
      'etcd_server_client_requests_total',
      'The total number of client requests per client version.',
      'type',
      'client_api_version',
    );
  }

  count(kind: 'unary' | 'stream', version: string): void {
    const counters = this.#byKind[kind];
    let counter = counters.get(version);
    if (counter === undefined) {
      const known = counters.size < MAX_CLIENT_VERSIONS ? version : UNKNOWN_VERSION;
      counter = this.#requests.with(kind, known);
      counters.set(known, counter);
    }
    counter.inc();
  }
}

class MethodMetrics implements MethodObserver {
  readonly #metrics: ServerMetrics['network'];
  readonly #clock: Clock;
  readonly #families: Families;
  readonly #versions: ClientVersions;
  readonly #kind: 'unary' | 'stream';
  readonly #labels: readonly [string, string, string];
  readonly #handled: (NumberInstrument | undefined)[] = [];
  #started: NumberInstrument | undefined;
  #received: NumberInstrument | undefined;
  #sent: NumberInstrument | undefined;
  #seconds: HistogramInstrument | undefined;

  constructor(
    options: RpcMetricsOptions,
    families: Families,
    versions: ClientVersions,
    path: string,
    kind: MethodKind,
  ) {
    this.#metrics = options.metrics.network;
    this.#clock = options.clock;
    this.#families = families;
    this.#versions = versions;
    this.#kind = kind === 'unary' ? 'unary' : 'stream';
    const slash = path.lastIndexOf('/');
    this.#labels = [GRPC_TYPES[kind], path.slice(1, slash), path.slice(slash + 1)];
    if (PRECREATED.test(this.#labels[1])) this.#create();
  }

  #create(): void {
    this.#started = this.#families.started.with(...this.#labels);
    this.#received = this.#families.received.with(...this.#labels);
    this.#sent = this.#families.sent.with(...this.#labels);
    this.#seconds = this.#families.seconds?.with(...this.#labels);
    for (const [name, code] of CODES) {
      this.#handled[code] = this.#families.handled.with(...this.#labels, name);
    }
  }

  started(context: CallContext): number {
    if (this.#started === undefined) this.#create();
    this.#started?.inc();
    const version = context.metadata.get('client-api-version') ?? UNKNOWN_VERSION;
    this.#versions.count(this.#kind, version);
    return this.#seconds === undefined ? 0 : this.#clock.monotonicMillis();
  }

  received(bytes: number): void {
    this.#received?.inc();
    this.#metrics.clientReceivedBytes.inc(bytes);
  }

  sent(bytes: number): void {
    this.#sent?.inc();
    this.#metrics.clientSentBytes.inc(bytes);
  }

  handled(code: GrpcCode, started: number): void {
    this.#handled[code]?.inc();
    this.#seconds?.observe((this.#clock.monotonicMillis() - started) / 1000);
  }
}
