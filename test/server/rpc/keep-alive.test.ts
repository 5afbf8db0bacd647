import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LeaseKeepAliveRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../../src/proto/services.js';
import { leaseService } from '../../../src/server/rpc/lease-service.js';
import type { RpcMethod, ServerStream } from '../../../src/server/rpc/transport.js';

/** Serves one stream of renewals that all succeed at once; returns how to send, and what came. */
function openStream(): { send: (bytes: Uint8Array) => void; answers: Uint8Array[] } {
  const answers: Uint8Array[] = [];
  let onMessage: (message: Buffer) => void = () => {};
  const stream = {
    context: {},
    onMessage(listener: (message: Buffer) => void) {
      onMessage = listener;
    },
    onHalfClose() {},
    onClose() {},
    send: (message: Uint8Array) => answers.push(message) > 0,
  };
  const member = {
    header: () => ({ clusterId: 1n, memberId: 1n, revision: 1, raftTerm: 1 }),
    leases: { renew: async () => 10 },
  };
  const noAuthentication = { enabled: false };
  const service = leaseService as unknown as (...parts: unknown[]) => RpcMethod[];
  const { path } = SERVICES.lease.leaseKeepAlive;
  const method = service(member, noAuthentication).find((candidate) => candidate.path === path);
  if (method === undefined || method.kind === 'unary') throw new Error('no keep-alive');
  method.handle(stream as unknown as ServerStream);
  return { send: (bytes) => onMessage(Buffer.from(bytes)), answers };
}

describe('LeaseKeepAlive', () => {
  it('answers each request, even one that comes as the answer before leaves', async () => {
    const request = LeaseKeepAliveRequest.encode({ ID: 1n }).finish();
    for (let delay = 0; delay < 20; delay++) {
      const { send, answers } = openStream();
      send(request);
      for (let i = 0; i < delay; i++) await Promise.resolve();
      send(request);
      await nextTurn();
      expect(answers, `after ${delay} microtasks`).toHaveLength(2);
    }
  });
});
