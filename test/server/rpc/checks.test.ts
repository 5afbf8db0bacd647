import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isEtcdError } from '../../../src/proto/errors.js';
import { requireLeaderCheck } from '../../../src/server/rpc/checks.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';

/** An empty message in a gRPC frame. */
const EMPTY_FRAME = Buffer.alloc(5);

interface Status {
  readonly code: string;
  readonly message: string;
}

describe('the client’s API version', () => {
  let server: TestEtcd;

  beforeAll(async () => {
    server = await startEtcd();
  });

  afterAll(() => server?.stop());

  /** Asks for the members with that version, one byte a character; returns the status. */
  function ask(version: string): Promise<Status> {
    const session = connect(server.url);
    return new Promise<Status>((resolve, reject) => {
      session.on('error', reject);
      const call = session.request({
        ':method': 'POST',
        ':path': '/etcdserverpb.Cluster/MemberList',
        'content-type': 'application/grpc',
        te: 'trailers',
        'client-api-version': version,
      });
      const note = (headers: Record<string, unknown>): void => {
        if (headers['grpc-status'] === undefined) return;
        const message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
        resolve({ code: String(headers['grpc-status']), message });
      };
      call.on('response', note);
      call.on('trailers', note);
      call.on('error', reject);
      call.resume();
      call.end(EMPTY_FRAME);
    }).finally(() => session.close());
  }

  it.each(['3.7', 'nonsense', Buffer.from('drei·sieben').toString('latin1')])(
    'may be any text: %j',
    async (version) => {
      expect((await ask(version)).code).toBe('0');
    },
  );

  it('must be text', async () => {
    expect(await ask('3.7\xff')).toEqual({
      code: '3',
      message: 'etcdserver: invalid client api version',
    });
  });
});

describe('the demand for a leader', () => {
  const check = (leaderId: bigint, hasLeader: string | undefined): (() => void) => {
    const context = {
      method: '/etcdserverpb.KV/Range',
      metadata: { get: (name: string) => (name === 'hasleader' ? hasLeader : undefined) },
      peer: 'test',
      deadlineMillis: undefined,
      signal: new AbortController().signal,
    };
    return () => requireLeaderCheck({ leaderId })(context);
  };

  it('refuses calls where there is none', () => {
    let refusal: unknown;
    try {
      check(0n, 'true')();
    } catch (error) {
      refusal = error;
    }
    expect(isEtcdError(refusal, 'NoLeader')).toBe(true);
    for (const value of [undefined, 'false', 'TRUE']) expect(check(0n, value)).not.toThrow();
    expect(check(7n, 'true')).not.toThrow();
  });
});
