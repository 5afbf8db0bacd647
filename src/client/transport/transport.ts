import type { RpcError } from '../../proto/errors.js';
import type { CallContext } from '../call-context.js';
import type { ConnectionDiagnosis } from '../diagnosis.js';

/** What starts a call. */
export interface CallStart {
  /** Full method, e.g. `/etcdserverpb.KV/Range`. */
  readonly path: string;
  /** Request headers beyond gRPC's own; lower-case names. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly context: CallContext;
}

/** Hears what comes back. Nothing is called after `onClose`. */
export interface CallListener {
  onMessage(message: Buffer): void;
  /** The call is over; undefined: status OK. */
  onClose(error: RpcError | undefined): void;
}

/** An open call. */
export interface TransportCall {
  /** Remote address, for log lines. */
  readonly peer: string;
  /** Sends one message; after the end of the call it is dropped. */
  send(message: Uint8Array): void;
  /** No more messages will be sent. */
  halfClose(): void;
  /** Gives the call up; `onClose` is not called. */
  cancel(): void;
  /** Stops reading, so that flow control holds the server back; what was already read still comes. */
  pause(): void;
  resume(): void;
}

/** A set of servers to which calls can be made. */
export interface ClientTransport {
  /** True after {@link close}. */
  readonly closed: boolean;
  /** How many endpoints there are. */
  readonly endpointCount: number;
  /**
   * Opens a call on the next ready connection, waiting for one if there is none.
   *
   * @throws CallError when the context ends first.
   */
  open(start: CallStart, listener: CallListener): Promise<TransportCall>;
  /** What is wrong with the endpoints that have no connection. */
  diagnoses(): readonly ConnectionDiagnosis[];
  /** Ends all calls and connections. */
  close(): void;
}
