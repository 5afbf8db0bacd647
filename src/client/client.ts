import { type Logger, silentLogger } from '../base/logger.js';
import type { Clock } from '../platform/clock.js';
import { nodeClock } from '../platform/node-clock.js';
import { nodeRandom } from '../platform/node-random.js';
import type { Random } from '../platform/random.js';
import type { RpcDefinition } from '../proto/services.js';
import { AuthClient } from './auth-client.js';
import { Caller, type CallOptions } from './caller.js';
import { ClusterClient } from './cluster-client.js';
import { type CredentialOptions, Credentials } from './credentials.js';
import type { ConnectionDiagnosis } from './diagnosis.js';
import { parseEndpoints } from './endpoint.js';
import { ClientConfigError } from './errors.js';
import { KvClient } from './kv-client.js';
import { LeaseClient } from './lease-client.js';
import { MaintenanceClient } from './maintenance-client.js';
import type { ClientTlsOptions } from './transport/connection-options.js';
import { Http2Transport } from './transport/http2-transport.js';
import { WatchClient } from './watch-client.js';

/** How a client is built. Times are milliseconds, sizes bytes. */
export interface ClientOptions extends CredentialOptions {
  /** `host:port`, `http://`, `https://`, `unix://` or `unixs://` (reference: cli 2.3). */
  readonly endpoints: readonly string[];
  /** Given: endpoints without a scheme speak TLS too (reference: cli 2.4). */
  readonly tls?: ClientTlsOptions;
  /** Bound of a login; a second more is the first deadline of a keepalive. Default 5000. */
  readonly dialTimeoutMillis?: number;
  /** Interval of keepalive pings while calls are open; below 10000 counts as 10000. Default: none. */
  readonly keepaliveMillis?: number;
  /** How long a ping may go unanswered. Default 20000. */
  readonly keepaliveTimeoutMillis?: number;
  /** Largest request; 0 or absent: 2 MiB. */
  readonly maxSendBytes?: number;
  /** Largest response; 0 or absent: 2 GiB - 1. */
  readonly maxReceiveBytes?: number;
  /** Hears of failed attempts. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

const DEFAULT_DIAL_TIMEOUT_MILLIS = 5_000;
/** Servers and grpc-go allow no pings more often than this (reference: cli 2.6). */
const MIN_KEEPALIVE_MILLIS = 10_000;
const DEFAULT_KEEPALIVE_TIMEOUT_MILLIS = 20_000;
const DEFAULT_MAX_SEND_BYTES = 2 * 1024 * 1024;
const DEFAULT_MAX_RECEIVE_BYTES = 2 ** 31 - 1;

/**
 * A client of an etcd cluster. Building one connects to nothing; the first call does. Calls wait
 * for a connection until their own deadline. {@link Client.close} ends everything.
 */
export class Client {
  readonly kv: KvClient;
  readonly lease: LeaseClient;
  readonly watch: WatchClient;
  readonly cluster: ClusterClient;
  readonly maintenance: MaintenanceClient;
  readonly auth: AuthClient;
  private readonly caller: Caller;
  private readonly transport: Http2Transport;
  private readonly clock: Clock;

  /** @throws ClientConfigError for no endpoints or contradicting sizes. */
  constructor(options: ClientOptions) {
    checkOptions(options);
    const endpoints = parseEndpoints(options.endpoints, options.tls !== undefined);
    this.clock = options.clock ?? nodeClock;
    const random = options.random ?? nodeRandom;
    const dialTimeoutMillis = options.dialTimeoutMillis ?? DEFAULT_DIAL_TIMEOUT_MILLIS;
    this.transport = new Http2Transport(endpoints, {
      clock: this.clock,
      random,
      tls: options.tls ?? {},
      keepaliveMillis:
        options.keepaliveMillis === undefined
          ? undefined
          : Math.max(options.keepaliveMillis, MIN_KEEPALIVE_MILLIS),
      keepaliveTimeoutMillis: options.keepaliveTimeoutMillis ?? DEFAULT_KEEPALIVE_TIMEOUT_MILLIS,
      maxSendBytes: options.maxSendBytes || DEFAULT_MAX_SEND_BYTES,
      maxReceiveBytes: options.maxReceiveBytes || DEFAULT_MAX_RECEIVE_BYTES,
    });
    this.caller = new Caller({
      transport: this.transport,
      clock: this.clock,
      random,
      logger: options.logger ?? silentLogger,
      credentials: new Credentials(options),
      dialTimeoutMillis,
      target: `etcd-endpoints:///${endpoints[0]?.authority ?? ''}`,
    });
    this.kv = new KvClient(this.caller);
    this.lease = new LeaseClient(this.caller, dialTimeoutMillis + 1_000);
    this.watch = new WatchClient(this.caller);
    this.cluster = new ClusterClient(this.caller);
    this.maintenance = new MaintenanceClient(this.caller);
    this.auth = new AuthClient(this.caller);
  }

  /** Starts connecting before the first call needs a connection. */
  connect(): void {
    this.transport.connect();
  }

  /**
   * Logs in now, if a user and a password are configured; a call does so otherwise.
   *
   * @throws EtcdError AuthFailed; CallError when the dial timeout passes.
   */
  authenticate(): Promise<void> {
    return this.caller.authenticate();
  }

  /** Any unary method of the services table. */
  call<Request, Response>(
    method: RpcDefinition<Request, Response, 'unary'>,
    request: Partial<Request>,
    options?: CallOptions,
  ): Promise<Response> {
    return this.caller.call(method, request, options);
  }

  /** The deadline, for {@link CallOptions}, `millis` from now. */
  deadlineIn(millis: number): number {
    return this.clock.monotonicMillis() + millis;
  }

  /** What is wrong with the endpoints that cannot be reached. */
  diagnoses(): readonly ConnectionDiagnosis[] {
    return this.transport.diagnoses();
  }

  /** Ends all calls, watches and connections. */
  close(): void {
    this.watch.close();
    this.lease.close();
    this.transport.close();
  }
}

function checkOptions(options: ClientOptions): void {
  if (options.endpoints.length === 0) {
    throw new ClientConfigError('etcdclient: no available endpoints');
  }
  const send = options.maxSendBytes ?? 0;
  const receive = options.maxReceiveBytes ?? 0;
  if (receive > 0 && send > receive) {
    throw new ClientConfigError(
      `gRPC message recv limit (${receive} bytes) must be greater than send limit (${send} bytes)`,
    );
  }
}
