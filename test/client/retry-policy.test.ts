import { describe, expect, it } from 'vitest';
import { CallError, errorFromStatus, errorText } from '../../src/client/errors.js';
import { backoffMillis, isSafeRetry } from '../../src/client/retry-policy.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { etcdError, GrpcCode, RpcError } from '../../src/proto/errors.js';
import { SERVICES } from '../../src/proto/services.js';

const range = SERVICES.kv.range.path;
const put = SERVICES.kv.put.path;

describe('retry policy', () => {
  it('repeats reads after any Unavailable and writes only if nothing was sent', () => {
    const noLeader = etcdError('NoLeader');
    expect(isSafeRetry(range, noLeader, 1)).toBe(true);
    expect(isSafeRetry(put, noLeader, 1)).toBe(false);
    const noAddress = new RpcError(GrpcCode.Unavailable, 'there is no address available');
    expect(isSafeRetry(put, noAddress, 1)).toBe(true);
    const unprocessed = new CallError(GrpcCode.Unavailable, 'x', { unprocessed: true });
    expect(isSafeRetry(put, unprocessed, 1)).toBe(true);
    expect(isSafeRetry(range, etcdError('EmptyKey'), 1)).toBe(false);
  });

  it('leaves a learner only if there is another endpoint', () => {
    const learner = etcdError('NotSupportedForLearner');
    expect(isSafeRetry(put, learner, 1)).toBe(false);
    expect(isSafeRetry(put, learner, 2)).toBe(true);
  });

  it('waits about 25 ms after each round over a quorum', () => {
    const random = seededRandom(1);
    const waits = [0, 1, 2, 3, 4].map((attempt) => backoffMillis(attempt, 3, random) > 0);
    expect(waits).toEqual([false, false, true, false, true]);
    for (let attempt = 1; attempt < 100; attempt++) {
      expect(Math.abs(backoffMillis(attempt, 1, random) - 25)).toBeLessThanOrEqual(2.5);
    }
  });
});

describe('error texts', () => {
  it('shows known errors bare and others in the gRPC form', () => {
    expect(
      errorText(errorFromStatus(GrpcCode.NotFound, 'etcdserver: requested lease not found')),
    ).toBe('etcdserver: requested lease not found');
    expect(errorText(errorFromStatus(GrpcCode.Canceled, 'etcdserver: watch canceled'))).toBe(
      'rpc error: code = Canceled desc = etcdserver: watch canceled',
    );
    // A deadline of the server's own is not ours.
    expect(errorText(errorFromStatus(GrpcCode.DeadlineExceeded, 'context deadline exceeded'))).toBe(
      'rpc error: code = DeadlineExceeded desc = context deadline exceeded',
    );
    expect(errorText(new Error('plain'))).toBe('plain');
  });
});
