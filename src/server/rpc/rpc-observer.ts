import type { GrpcCode } from '../../proto/errors.js';
import type { CallContext, MethodKind } from './transport.js';

/**
 * Watches the calls of one method, for metrics. It sits on the hot path: implementations must not
 * allocate, and must not throw.
 */
export interface MethodObserver {
  /** A call was opened. What it returns (a start time, say) comes back to {@link handled}. */
  started(context: CallContext): number;
  /** A request message of that many bytes arrived. */
  received(bytes: number): void;
  /** A response message of that many bytes was handed to the connection. */
  sent(bytes: number): void;
  /** The call ended; called once a call. */
  handled(code: GrpcCode, started: number): void;
}

/** Gives each served method its observer, once, when the transport is built. */
export interface RpcObserver {
  observeMethod(path: string, kind: MethodKind): MethodObserver;
}

const silentMethod: MethodObserver = {
  started: () => 0,
  received: () => {},
  sent: () => {},
  handled: () => {},
};

/** Ignores every call. */
export const silentRpcObserver: RpcObserver = { observeMethod: () => silentMethod };

/**
 * Runs before a handler; throwing refuses the call with the status of the error. It runs for a
 * unary call when its request is there, and for a stream when it is opened.
 */
export type RpcCheck = (context: CallContext) => void;
