import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../platform/clock.js';
import { isEtcdError } from '../../proto/errors.js';
import {
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { LeaseInternalRequest, LeaseInternalResponse } from '../../proto/gen/leasepb/lease.js';
import { reply, replyError } from '../http/responses.js';
import type { LeaseTimeToLive } from './peer-calls.js';
import { PEER_TEXTS } from './peer-paths.js';
import { readBody } from './request-body.js';

/** How long a question waits for what is committed to be applied (reference: raft-and-peers B1). */
const APPLY_TIMEOUT_MILLIS = 1000;

/** What peers, which are not the leader, ask it about leases. */
export interface LeaseSource {
  /**
   * Resolves when all that is committed now is applied here.
   * @throws EtcdError TimeoutWaitAppliedIndex
   */
  waitApplied(timeoutMillis: number): Promise<void>;
  /**
   * Gives a lease its full time again; asks no other member.
   * @param signal aborted when nobody waits for the answer any more
   * @returns seconds
   * @throws EtcdError LeaseNotFound, NotPrimaryLessor
   */
  renewLease(id: bigint, signal: AbortSignal): Promise<number>;
  /**
   * How long a lease has still to live; asks no other member.
   * @throws EtcdError LeaseNotFound, NotPrimaryLessor
   */
  leaseTimeToLive(id: bigint, wantsKeys: boolean): LeaseTimeToLive;
}

/** A kind of question: decodes its body into what answers it. */
interface LeaseQuestion {
  /** @throws Error if these are no such bytes */
  readonly decode: (body: Buffer) => (signal: AbortSignal) => Promise<Uint8Array>;
  /** Status of a refusal that has none of its own. */
  readonly refusalStatus: number;
}

/** Serves `/leases`. */
export function renewal(source: LeaseSource): LeaseQuestion {
  return {
    refusalStatus: 400,
    decode(body) {
      const { ID } = LeaseKeepAliveRequest.decode(body);
      return async (signal) => {
        const TTL = await source.renewLease(ID, signal);
        return LeaseKeepAliveResponse.encode({ header: undefined, ID, TTL }).finish();
      };
    },
  };
}

/** Serves `/leases/internal`. */
export function timeToLive(source: LeaseSource): LeaseQuestion {
  return {
    refusalStatus: 500,
    decode(body) {
      const { LeaseTimeToLiveRequest: question } = LeaseInternalRequest.decode(body);
      // A message without the question stands for lease 0, which nobody has.
      const { ID, keys } = question ?? { ID: 0n, keys: false };
      return async () => LeaseInternalResponse.encode(answerOf(source, ID, keys)).finish();
    },
  };
}

function answerOf(source: LeaseSource, ID: bigint, wantsKeys: boolean): LeaseInternalResponse {
  const { ttlSeconds, grantedTtlSeconds, keys } = source.leaseTimeToLive(ID, wantsKeys);
  return {
    LeaseTimeToLiveResponse: LeaseTimeToLiveResponse.create({
      // Trap: members read fields of the header without looking whether there is one.
      header: { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 },
      ID,
      TTL: ttlSeconds,
      grantedTTL: grantedTtlSeconds,
      keys: [...keys],
    }),
  };
}

/** Answers a question about a lease. */
export async function serveLease(
  { source, clock }: { readonly source: LeaseSource; readonly clock: Pick<Clock, 'setTimer'> },
  question: LeaseQuestion,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') {
    // Trap: in these words and without a header Allow, unlike elsewhere.
    replyError(response, 405, 'Method not allowed');
    return;
  }
  const body = await readBody(clock, request, response);
  if (body === undefined) return;
  const abort = new AbortController();
  response.once('close', () => abort.abort());
  let answer: ReturnType<LeaseQuestion['decode']>;
  try {
    answer = question.decode(body);
  } catch {
    replyError(response, 400, 'error unmarshalling request');
    return;
  }
  try {
    await source.waitApplied(APPLY_TIMEOUT_MILLIS);
    const bytes = await answer(abort.signal);
    reply(response, 200, Buffer.from(bytes), { 'Content-Type': 'application/protobuf' });
  } catch (error) {
    refuse(response, error, question.refusalStatus);
  }
}

function refuse(response: ServerResponse, error: unknown, otherStatus: number): void {
  if (isEtcdError(error, 'TimeoutWaitAppliedIndex')) {
    replyError(response, 408, PEER_TEXTS.leaseTimeout);
  } else if (isEtcdError(error, 'LeaseNotFound')) {
    replyError(response, 404, PEER_TEXTS.leaseNotFound);
  } else if (isEtcdError(error, 'NotPrimaryLessor')) {
    replyError(response, otherStatus, PEER_TEXTS.notPrimaryLessor);
  } else {
    replyError(response, otherStatus, error instanceof Error ? error.message : String(error));
  }
}
