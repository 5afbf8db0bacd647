import { asBuffer } from '../../base/bytes.js';
import { isEtcdError } from '../../proto/errors.js';
import {
  LeaseGrantRequest,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../proto/services.js';
import { LEASE_GRANT_COST } from '../apply/quota.js';
import type { LocalMember } from '../local-member.js';
import type { Callers } from './callers.js';
import { decodeRequest, drained, unaryMethod } from './methods.js';
import type { RpcMethod, ServerStream } from './transport.js';

/**
 * Keep-alive requests of one stream that may wait for their turn. A client sends one for each lease
 * in each third of its TTL, so a longer queue is no client but a flood.
 */
const MAX_QUEUED_KEEP_ALIVES = 100_000;

/** etcdserverpb.Lease (reference: api 14). */
export function leaseService(member: LocalMember, callers: Callers): RpcMethod[] {
  const { lease: definitions } = SERVICES;
  return [
    unaryMethod(definitions.leaseGrant, async (request, context) => {
      await member.checkQuota(LEASE_GRANT_COST);
      const caller = await callers.known(context);
      const ID = request.ID === 0n ? member.newLeaseId() : request.ID;
      const grant = { ID, TTL: request.TTL };
      const payload = LeaseGrantRequest.encode(grant).finish();
      const result = await member.propose('leaseGrant', grant, payload, caller);
      return { header: member.header(), ID, TTL: result.ttlSeconds, error: '' };
    }),
    unaryMethod(definitions.leaseRevoke, async (request, context) => {
      const caller = await callers.known(context);
      const payload = LeaseRevokeRequest.encode(request).finish();
      const { revision } = await member.propose('leaseRevoke', request, payload, caller);
      return { header: member.header(revision) };
    }),
    unaryMethod(definitions.leaseTimeToLive, async ({ ID, keys }, context) => {
      const caller = await callers.known(context);
      if (keys) member.authorizer.requireLeaseRead(caller, ID);
      const header = member.header();
      const time = await member.leases.timeToLive(ID, keys);
      // Trap: an unknown lease is an answer, not an error.
      if (time === undefined) return { header, ID, TTL: -1, grantedTTL: 0, keys: [] };
      // Others may have attached keys since that this caller must not see.
      if (keys) member.authorizer.requireLeaseRead(caller, ID);
      const { ttlSeconds, grantedTtlSeconds } = time;
      return { header, ID, TTL: ttlSeconds, grantedTTL: grantedTtlSeconds, keys: [...time.keys] };
    }),
    unaryMethod(definitions.leaseLeases, async (_request, context) => {
      member.authorizer.requireAllLeasesRead(await callers.known(context));
      const leases = member.lessor.list().map(({ id }) => ({ ID: id }));
      return { header: member.header(), leases };
    }),
    {
      path: definitions.leaseKeepAlive.path,
      kind: 'bidiStream',
      handle: (stream) => new KeepAliveStream(member, callers, stream).start(),
    },
  ];
}

/**
 * One stream of renewals: a response for each request, in order, so a lease that waits for its
 * revocation holds up those behind it, as in etcd.
 */
class KeepAliveStream {
  readonly #member: LocalMember;
  readonly #callers: Callers;
  readonly #stream: ServerStream;
  readonly #queue: Buffer[] = [];
  readonly #abort = new AbortController();
  #working = false;
  #halfClosed = false;

  constructor(member: LocalMember, callers: Callers, stream: ServerStream) {
    this.#member = member;
    this.#callers = callers;
    this.#stream = stream;
  }

  start(): void {
    this.#stream.onMessage((message) => {
      if (this.#queue.length >= MAX_QUEUED_KEEP_ALIVES) {
        this.#stream.end(new Error('etcdkit: too many keep-alive requests are queued'));
        return;
      }
      this.#queue.push(asBuffer(message));
      this.#work();
    });
    this.#stream.onHalfClose(() => {
      this.#halfClosed = true;
      this.#work();
    });
    this.#stream.onClose(() => {
      this.#queue.length = 0;
      this.#abort.abort();
    });
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    this.#drain().catch((error: unknown) => this.#stream.end(error));
  }

  async #drain(): Promise<void> {
    const queue = this.#queue;
    try {
      for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
        const { ID } = decodeRequest((bytes) => LeaseKeepAliveRequest.decode(bytes), message);
        const response = await this.#renew(ID);
        if (this.#abort.signal.aborted) return;
        const bytes = LeaseKeepAliveResponse.encode(response).finish();
        // A client that sends and does not read fills the bounded queue, not memory.
        if (!this.#stream.send(bytes)) await drained(this.#stream, this.#abort.signal);
      }
      if (this.#halfClosed) this.#stream.end();
    } finally {
      // Here, not when the promise is settled: what comes in between would wait for its successor.
      this.#working = false;
    }
  }

  async #renew(ID: bigint): Promise<LeaseKeepAliveResponse> {
    // Trap: the header tells the state before the renewal.
    const header = this.#member.header();
    if (this.#callers.enabled) {
      const caller = await this.#callers.known(this.#stream.context);
      this.#member.authorizer.requireLeaseWrite(caller, ID);
    }
    try {
      return { header, ID, TTL: await this.#member.leases.renew(ID, this.#abort.signal) };
    } catch (error) {
      // Trap: an unknown lease is TTL 0, not an error.
      if (isEtcdError(error, 'LeaseNotFound')) return { header, ID, TTL: 0 };
      throw error;
    }
  }
}
