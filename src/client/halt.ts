import { GrpcCode, type RpcError } from '../proto/errors.js';

/** True for an error that ends a watch or a keepalive rather than making it reconnect. */
export function isHaltError(error: RpcError): boolean {
  return error.code !== GrpcCode.Unavailable && error.code !== GrpcCode.Internal;
}
