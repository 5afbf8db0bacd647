import type { Timer } from '../platform/clock.js';
import { etcdError, type RpcError } from '../proto/errors.js';
import type {
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import { AsyncQueue } from './async-queue.js';
import { CallContext } from './call-context.js';
import type { Caller, CallOptions, StreamCall } from './caller.js';
import { isHaltError } from './halt.js';

const { leaseKeepAlive } = SERVICES.lease;

/** Answers that may wait for their reader; further ones are dropped, renewal goes on. */
const RESPONSE_BOUND = 16;
/** Pause before a broken stream is opened again. */
const REOPEN_MILLIS = 500;

/**
 * Renews one lease once, trying again while the server is unavailable.
 *
 * @throws EtcdError LeaseNotFound if the lease does not exist.
 */
export async function keepAliveOnce(
  caller: Caller,
  id: bigint,
  options: CallOptions = {},
): Promise<LeaseKeepAliveResponse> {
  const context = new CallContext(caller.clock, options);
  try {
    for (;;) {
      const outcome = await renewOnce(caller, id, options);
      if ('response' in outcome) {
        if (outcome.response.TTL <= 0) {
          throw etcdError('LeaseNotFound');
        }
        return outcome.response;
      }
      if (isHaltError(outcome.error) || caller.transport.closed) {
        throw outcome.error;
      }
      await context.sleep(REOPEN_MILLIS);
    }
  } finally {
    context.dispose();
  }
}

type Renewal = { readonly response: LeaseKeepAliveResponse } | { readonly error: RpcError };

function renewOnce(caller: Caller, id: bigint, options: CallOptions): Promise<Renewal> {
  return new Promise((resolve, reject) => {
    let call: StreamCall<LeaseKeepAliveRequest> | undefined;
    const listener = {
      onMessage: (response: LeaseKeepAliveResponse) => {
        resolve({ response });
        call?.cancel();
      },
      onClose: (error: RpcError | undefined) =>
        resolve({ error: error ?? etcdError('LeaseNotFound') }),
    };
    caller
      .bidiStream(leaseKeepAlive, { ...options, requireLeader: true }, listener)
      .then((opened) => {
        call = opened;
        opened.send({ ID: id });
      }, reject);
  });
}

/** One lease that is being kept. */
interface KeptLease {
  readonly id: bigint;
  readonly readers: Set<AsyncQueue<LeaseKeepAliveResponse>>;
  /** Fires when the next renewal is due. */
  renewal: Timer | undefined;
  /** Fires when the lease must count as lost. */
  expiry: Timer | undefined;
}

/** Renews many leases over one stream (reference: api 8, KeepAlive). */
export class LeaseKeeper {
  private readonly caller: Caller;
  private readonly firstDeadlineMillis: number;
  private readonly kept = new Map<bigint, KeptLease>();
  private call: StreamCall<LeaseKeepAliveRequest> | undefined;
  private opening = false;
  private reopenTimer: Timer | undefined;
  private closed = false;

  constructor(caller: Caller, firstDeadlineMillis: number) {
    this.caller = caller;
    this.firstDeadlineMillis = firstDeadlineMillis;
  }

  /** Renews until the reader leaves. The iteration ends when the lease is lost. */
  keep(id: bigint): AsyncIterableIterator<LeaseKeepAliveResponse> {
    const lease = this.kept.get(id) ?? this.start(id);
    const reader: AsyncQueue<LeaseKeepAliveResponse> = new AsyncQueue(RESPONSE_BOUND, {
      onAbandoned: () => {
        lease.readers.delete(reader);
        if (lease.readers.size === 0) {
          this.drop(lease);
        }
      },
    });
    lease.readers.add(reader);
    if (this.closed) {
      this.drop(lease);
    }
    return reader;
  }

  close(): void {
    this.closed = true;
    for (const lease of [...this.kept.values()]) {
      this.drop(lease);
    }
  }

  private start(id: bigint): KeptLease {
    const lease: KeptLease = { id, readers: new Set(), renewal: undefined, expiry: undefined };
    this.kept.set(id, lease);
    this.expireIn(lease, this.firstDeadlineMillis);
    this.renew(lease);
    return lease;
  }

  private renew(lease: KeptLease): void {
    if (this.call !== undefined) {
      this.call.send({ ID: lease.id });
    } else {
      this.open();
    }
  }

  private expireIn(lease: KeptLease, millis: number): void {
    lease.expiry?.cancel();
    lease.expiry = this.caller.clock.setTimer(millis, () => this.drop(lease));
  }

  /** Stops keeping a lease; its readers reach the end. */
  private drop(lease: KeptLease): void {
    lease.renewal?.cancel();
    lease.expiry?.cancel();
    if (this.kept.get(lease.id) === lease) {
      this.kept.delete(lease.id);
    }
    for (const reader of lease.readers) {
      reader.end();
    }
    if (this.kept.size === 0) {
      this.reopenTimer?.cancel();
      this.reopenTimer = undefined;
      this.call?.cancel();
      this.call = undefined;
    }
  }

  private open(): void {
    if (this.opening || this.reopenTimer !== undefined) {
      return;
    }
    this.opening = true;
    const listener = {
      onMessage: (response: LeaseKeepAliveResponse) => this.onResponse(response),
      onClose: () => this.onBroken(),
    };
    this.caller.bidiStream(leaseKeepAlive, { requireLeader: true }, listener).then(
      (call) => this.onOpened(call),
      () => this.onBroken(),
    );
  }

  private onOpened(call: StreamCall<LeaseKeepAliveRequest>): void {
    this.opening = false;
    if (this.kept.size === 0) {
      call.cancel();
      return;
    }
    this.call = call;
    for (const id of this.kept.keys()) {
      call.send({ ID: id });
    }
  }

  /** What broke the stream does not matter: a lease that cannot be renewed expires here too. */
  private onBroken(): void {
    this.opening = false;
    this.call = undefined;
    if (this.kept.size === 0 || this.closed) {
      return;
    }
    this.reopenTimer = this.caller.clock.setTimer(REOPEN_MILLIS, () => {
      this.reopenTimer = undefined;
      this.open();
    });
  }

  private onResponse(response: LeaseKeepAliveResponse): void {
    const lease = this.kept.get(response.ID);
    if (lease === undefined) {
      return;
    }
    if (response.TTL <= 0) {
      this.drop(lease);
      return;
    }
    this.expireIn(lease, response.TTL * 1000);
    lease.renewal?.cancel();
    lease.renewal = this.caller.clock.setTimer((response.TTL * 1000) / 3, () => this.renew(lease));
    for (const reader of lease.readers) {
      if (reader.size < RESPONSE_BOUND) {
        reader.push(response);
      }
    }
  }
}
