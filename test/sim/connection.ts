import { GrpcCode, isEtcdError, RpcError } from '../../src/proto/errors.js';
import { RaftError } from '../../src/raft/errors.js';
import { LocalStream } from '../../src/server/rpc/local-stream.js';
import type { CallContext } from '../../src/server/rpc/transport.js';
import type { Life, SimulatedMember } from './member.js';
import type { SimulatedNetwork } from './network.js';
import type { Operation, Outcome } from './operations.js';
import { wireRequest } from './requests.js';
import { WORLD } from './scheduler.js';

/** Chance of an answer to be lost on its way to the client. */
const LOST_ANSWER_RATE = 0.01;

const UNKNOWN: Outcome = { kind: 'unknown' };
const NEVER_ABORTED = new AbortController().signal;

export function callContext(method: string): CallContext {
  return {
    method,
    metadata: { get: () => undefined },
    peer: 'client:1',
    deadlineMillis: undefined,
    signal: NEVER_ABORTED,
  };
}

/**
 * Sends an operation to a member and waits for what becomes of it.
 * @param timeoutMillis how long the client waits
 */
export function sendOperation(
  network: SimulatedNetwork,
  member: SimulatedMember,
  operation: Operation,
  timeoutMillis: number,
): Promise<Outcome> {
  const { scheduler } = network;
  return new Promise((resolve) => {
    const { life } = member;
    if (life === undefined || !life.isServing) {
      scheduler.schedule(network.delay(), WORLD, () =>
        resolve({ kind: 'refused', reason: 'connection refused' }),
      );
      return;
    }
    scheduler.schedule(timeoutMillis, WORLD, () => resolve(UNKNOWN));
    life.process.onDeath(() => scheduler.schedule(network.delay(), WORLD, () => resolve(UNKNOWN)));
    const respond = (outcome: Outcome): void => {
      if (network.random.float() < LOST_ANSWER_RATE) return;
      scheduler.schedule(network.delay(), WORLD, () => resolve(outcome));
    };
    scheduler.schedule(network.delay(), life.process, () => {
      // A server that stops takes no more calls; and its process outlives its open ones.
      if (life.isStopping) {
        respond({ kind: 'refused', reason: 'connection refused' });
        return;
      }
      call(life, operation)
        .catch((error: unknown) => (life.process.isDead ? UNKNOWN : outcomeOf(error)))
        .then(respond)
        .catch((error: unknown) => scheduler.fail(error));
    });
  });
}

async function call(life: Life, operation: Operation): Promise<Outcome> {
  const { path, bytes, decode } = wireRequest(operation);
  const method = life.methods.get(path);
  if (method === undefined) throw new Error(`no method ${path}`);
  if (method.kind === 'unary') {
    const response = await method.handle(bytes, callContext(path));
    return { kind: 'answered', answer: decode(response) };
  }
  const stream = new LocalStream(callContext(path), undefined);
  method.handle(stream);
  stream.request(bytes);
  for await (const response of stream) return { kind: 'answered', answer: decode(response) };
  return UNKNOWN;
}

/** Refusals that say that the operation was not carried out and won't be. */
const REFUSALS = ['LeaseNotFound', 'LeaseExist', 'Compacted', 'FutureRev'] as const;

const UNAVAILABLE: ReadonlySet<GrpcCode> = new Set([
  GrpcCode.Unavailable,
  GrpcCode.DeadlineExceeded,
  GrpcCode.Canceled,
  GrpcCode.FailedPrecondition,
  GrpcCode.Unknown,
]);

function outcomeOf(error: unknown): Outcome {
  if (REFUSALS.some((reason) => isEtcdError(error, reason))) {
    return { kind: 'refused', reason: String(error) };
  }
  // A proposal may be dropped on the way to the leader, and elsewhere carried out.
  const isExpected =
    error instanceof RaftError || (error instanceof RpcError && UNAVAILABLE.has(error.code));
  if (!isExpected) throw new Error('no answer for a client', { cause: error });
  return UNKNOWN;
}
