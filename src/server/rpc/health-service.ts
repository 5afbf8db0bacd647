import { GrpcCode, RpcError } from '../../proto/errors.js';
import {
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from '../../proto/gen/health/v1/health.js';
import { SERVICES } from '../../proto/services.js';
import { serverStreamMethod, unaryMethod } from './methods.js';
import type { RpcMethod } from './transport.js';

/** The one service name that is known: the whole server. */
const WHOLE_SERVER = '';

/**
 * grpc.health.v1.Health: the server serves as soon as it answers at all (reference: api 18).
 * Watch never ends by itself: nothing changes the status of a server that runs.
 */
export function healthService(): RpcMethod[] {
  const { health: definitions } = SERVICES;
  const { SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;
  return [
    unaryMethod(definitions.check, ({ service }) => {
      if (service !== WHOLE_SERVER) throw new RpcError(GrpcCode.NotFound, 'unknown service');
      return { status: SERVING };
    }),
    unaryMethod(definitions.list, () => ({ statuses: { [WHOLE_SERVER]: { status: SERVING } } })),
    serverStreamMethod(definitions.watch, async ({ service }, stream) => {
      const status = service === WHOLE_SERVER ? SERVING : SERVICE_UNKNOWN;
      stream.send(HealthCheckResponse.encode({ status }).finish());
    }),
  ];
}
