import type { Timer } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { GrpcCode } from '../../proto/errors.js';
import type { CallContext } from '../call-context.js';
import type { ConnectionDiagnosis } from '../diagnosis.js';
import type { Endpoint } from '../endpoint.js';
import { CallError } from '../errors.js';
import { ConnectFailure, connectEndpoint } from './connect-endpoint.js';
import type { ConnectionOptions } from './connection-options.js';
import type { Http2Connection } from './http2-connection.js';
import type { CallListener, CallStart, ClientTransport, TransportCall } from './transport.js';

/** First pause between two connection attempts to one endpoint. */
const RECONNECT_MIN_MILLIS = 50;
/** Longest pause between two connection attempts to one endpoint. */
const RECONNECT_MAX_MILLIS = 3_000;
const RECONNECT_FACTOR = 1.6;
/** Share of the pause by which it varies either way. */
const RECONNECT_JITTER = 0.2;

export interface Http2TransportOptions extends ConnectionOptions {
  readonly random: Random;
}

/**
 * gRPC over node:http2 to a set of endpoints. Keeps a connection to each, hands calls to the ready
 * ones in turn, and lets calls wait while there is none.
 */
export class Http2Transport implements ClientTransport {
  private readonly slots: EndpointSlot[];
  private readonly waiters = new Set<() => void>();
  private next = 0;
  private started = false;
  private hasClosed = false;

  constructor(endpoints: readonly Endpoint[], options: Http2TransportOptions) {
    this.slots = endpoints.map(
      (endpoint) => new EndpointSlot(endpoint, options, () => this.wakeWaiters()),
    );
  }

  get closed(): boolean {
    return this.hasClosed;
  }

  get endpointCount(): number {
    return this.slots.length;
  }

  /** Starts connecting; the first call does so too. */
  connect(): void {
    if (!this.started && !this.hasClosed) {
      this.started = true;
      for (const slot of this.slots) {
        slot.connect();
      }
    }
  }

  async open(start: CallStart, listener: CallListener): Promise<TransportCall> {
    this.connect();
    for (;;) {
      const ended = start.context.ended(this.diagnoses());
      if (ended !== undefined) {
        throw ended;
      }
      if (this.hasClosed) {
        throw closingError();
      }
      const connection = this.pick();
      if (connection !== undefined) {
        return connection.openCall(start, listener);
      }
      await this.waitForConnection(start.context);
    }
  }

  diagnoses(): readonly ConnectionDiagnosis[] {
    return this.slots.flatMap((slot) => slot.failure ?? []);
  }

  close(): void {
    this.hasClosed = true;
    for (const slot of this.slots) {
      slot.close();
    }
    this.wakeWaiters();
  }

  /** The next usable connection in turn. */
  private pick(): Http2Connection | undefined {
    for (let tried = 0; tried < this.slots.length; tried++) {
      const slot = this.slots[this.next];
      this.next = (this.next + 1) % this.slots.length;
      if (slot?.connection?.isUsable) {
        return slot.connection;
      }
    }
    return undefined;
  }

  /** Resolves when a connection may be ready, the transport closes or the context ends. */
  private waitForConnection(context: CallContext): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiters.delete(done);
        stop();
        resolve();
      };
      const stop = context.onEnd(done);
      this.waiters.add(done);
    });
  }

  private wakeWaiters(): void {
    for (const wake of [...this.waiters]) {
      wake();
    }
  }
}

function closingError(): CallError {
  return new CallError(GrpcCode.Canceled, 'grpc: the client connection is closing');
}

/** One endpoint: its connection, or the attempts to make one. */
class EndpointSlot {
  connection: Http2Connection | undefined;
  /** Why the last attempt failed; undefined while connected or before the first failure. */
  failure: ConnectionDiagnosis | undefined;
  private readonly endpoint: Endpoint;
  private readonly options: Http2TransportOptions;
  private readonly onReady: () => void;
  private readonly abort = new AbortController();
  /** Connections that the server asked us to leave but that still carry calls. */
  private readonly retired = new Set<Http2Connection>();
  private pauseMillis = RECONNECT_MIN_MILLIS;
  private timer: Timer | undefined;

  constructor(endpoint: Endpoint, options: Http2TransportOptions, onReady: () => void) {
    this.endpoint = endpoint;
    this.options = options;
    this.onReady = onReady;
  }

  connect(): void {
    connectEndpoint(this.endpoint, this.options, this.abort.signal).then(
      (connection) => this.connected(connection),
      (error: unknown) => this.failed(error),
    );
  }

  close(): void {
    this.abort.abort();
    this.timer?.cancel();
    this.connection?.destroy();
    for (const connection of this.retired) {
      connection.destroy();
    }
    this.retired.clear();
  }

  private connected(connection: Http2Connection): void {
    if (this.abort.signal.aborted) {
      connection.destroy();
      return;
    }
    this.connection = connection;
    this.failure = undefined;
    this.pauseMillis = RECONNECT_MIN_MILLIS;
    connection.onUnusable(() => this.lost(connection));
    this.onReady();
  }

  private lost(connection: Http2Connection): void {
    this.connection = undefined;
    if (this.abort.signal.aborted) {
      return;
    }
    this.retired.add(connection);
    connection.onClosed(() => this.retired.delete(connection));
    this.reconnectLater();
  }

  private failed(error: unknown): void {
    if (this.abort.signal.aborted) {
      return;
    }
    this.failure =
      error instanceof ConnectFailure
        ? error.diagnosis
        : { endpoint: this.endpoint.text, layer: 'tcp', problem: String(error) };
    this.reconnectLater();
  }

  private reconnectLater(): void {
    const jitter = 1 + RECONNECT_JITTER * (2 * this.options.random.float() - 1);
    const pause = this.pauseMillis * jitter;
    this.pauseMillis = Math.min(this.pauseMillis * RECONNECT_FACTOR, RECONNECT_MAX_MILLIS);
    this.timer = this.options.clock.setTimer(pause, () => this.connect());
  }
}
