/**
 * What a service sees of the transport beneath it: request bytes in, response bytes out.
 * No service imports a gRPC library; replacing the library replaces one implementation of
 * {@link RpcTransport}.
 */

/** Metadata of a call: lower-case names; several values of one name in order. */
export interface CallMetadata {
  /** One Latin-1 character for each byte of the value. */
  get(name: string): string | undefined;
}

/** One call, unary or streaming. */
export interface CallContext {
  /** Full method, e.g. `/etcdserverpb.KV/Range`. */
  readonly method: string;
  readonly metadata: CallMetadata;
  /** Remote address as `host:port`, or the socket path. */
  readonly peer: string;
  /** CN of the leaf of the first verified chain of the client's certificate; undefined: none. */
  readonly commonName?: string | undefined;
  /** Milliseconds on the monotonic clock at which the client stops waiting; undefined: never. */
  readonly deadlineMillis: number | undefined;
  /** Aborted when the client cancels, the deadline passes or the connection breaks. */
  readonly signal: AbortSignal;
  /** Told who makes the call, once that is known and is somebody; absent: nobody wants to know. */
  readonly identified?: ((username: string) => void) | undefined;
}

/** A server-side stream of request and response messages. */
export interface ServerStream {
  readonly context: CallContext;
  /** Called for each request message, in order. */
  onMessage(listener: (message: Buffer) => void): void;
  /** The client half-closed. It may go on reading. */
  onHalfClose(listener: () => void): void;
  /**
   * The stream is gone (client reset, deadline, connection, or our own end). Each listener is
   * called once.
   */
  onClose(listener: () => void): void;
  /**
   * Sends one message. False: the peer reads too slowly; `onDrain` tells when to go on. What is
   * sent all the same is queued.
   */
  send(message: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  /** Ends the stream with OK, or with the status of `error`. */
  end(error?: unknown): void;
}

/** Answers one unary call; throws an EtcdError (or any error: code Unknown with its text). */
export type UnaryHandler = (
  request: Buffer,
  context: CallContext,
) => Uint8Array | Promise<Uint8Array>;

/** A call of which somebody wanted to know who makes it. */
export interface IdentifiedCall extends CallContext {
  /** Empty as long as nobody was found to make the call. */
  readonly username: string;
}

/**
 * Told what became of each call of a unary method, right before the answer leaves. On the hot path:
 * implementations must not throw.
 */
export interface UnaryRecorder {
  /** The request is there. What this returns (a start time, say) comes back at the end. */
  started(): number;
  answered(call: IdentifiedCall, request: Buffer, started: number, response: Uint8Array): void;
  refused(call: IdentifiedCall, request: Buffer, started: number, error: unknown): void;
}

/** Serves one streaming call. */
export type StreamHandler = (stream: ServerStream) => void;

export type MethodKind = 'unary' | 'serverStream' | 'bidiStream';

/** One RPC method of a service. */
export type RpcMethod =
  | {
      readonly path: string;
      readonly kind: 'unary';
      readonly handle: UnaryHandler;
      readonly recorder?: UnaryRecorder;
    }
  | {
      readonly path: string;
      readonly kind: 'serverStream' | 'bidiStream';
      readonly handle: StreamHandler;
    };

/** Serves RPC methods on connections that somebody else accepted. */
export interface RpcTransport {
  /** Takes over a connection whose first bytes are the HTTP/2 client preface. */
  accept(socket: import('node:net').Socket): void;
  /** Refuses new calls, waits up to `graceMillis` for the open ones, then ends them. */
  close(graceMillis: number): Promise<void>;
}
