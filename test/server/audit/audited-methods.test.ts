import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { etcdError } from '../../../src/proto/errors.js';
import { SERVICES } from '../../../src/proto/services.js';
import { auditedMethods } from '../../../src/server/audit/audit-log.js';
import { AuditQueue } from '../../../src/server/audit/audit-queue.js';
import { MetricRegistry } from '../../../src/server/metrics/registry.js';
import { auditMetrics } from '../../../src/server/metrics/service-metrics.js';
import { guardedMethods } from '../../../src/server/rpc/checks.js';
import type { CallContext, RpcMethod, UnaryHandler } from '../../../src/server/rpc/transport.js';

const { kv } = SERVICES;

function contextOf(method: string): CallContext {
  return {
    method,
    metadata: { get: () => undefined },
    peer: '10.0.0.1:77',
    commonName: 'client-of-certificate',
    deadlineMillis: undefined,
    signal: new AbortController().signal,
  };
}

/** Serves one method; gives what calls it, and the lines so far. */
function audited(path: string, handle: UnaryHandler, check: () => void = () => {}) {
  const lines: Record<string, unknown>[] = [];
  const clock = new ManualClock();
  const queue = new AuditQueue({
    clock,
    logger: silentLogger,
    metrics: auditMetrics(new MetricRegistry()),
    timeoutMillis: 7000,
    output: {
      async append(texts) {
        for (const text of texts) lines.push(JSON.parse(text));
        return texts.length;
      },
      async close() {},
    },
  });
  const method: RpcMethod = { path, kind: 'unary', handle };
  const [served] = auditedMethods(guardedMethods([method], [check]), {
    queue,
    clock,
    reads: true,
  });
  if (served?.kind !== 'unary') throw new Error('no unary method');
  const call = served.handle;
  return {
    clock,
    call: async (request: Buffer) => call(request, contextOf(path)),
    async lines() {
      await queue.close();
      return lines;
    },
  };
}

const putBytes = (key: Uint8Array, value = Buffer.alloc(0)): Buffer =>
  Buffer.from(
    kv.put.request.encode(kv.put.request.create({ key: Buffer.from(key), value })).finish(),
  );

describe('a line', () => {
  it('names certificate, peer, user, lengths and time', async () => {
    const { clock, call, lines } = audited(kv.put.path, (_request, context) => {
      context.identified?.('alice');
      clock.advance(12);
      return Buffer.of(0x0a, 0x02, 0x18, 0x05);
    });
    await call(putBytes(Buffer.from('k')));
    expect(await lines()).toEqual([
      {
        time: expect.any(String),
        method: 'KV/Put',
        user: 'alice',
        cn: 'client-of-certificate',
        peer: '10.0.0.1:77',
        key: 'k',
        revision: 5,
        request_bytes: 3,
        response_bytes: 4,
        code: 'OK',
        ms: 12,
      },
    ]);
  });

  it('tells of a call that a check refused, and of one whose request is no message', async () => {
    const refused = audited(
      kv.put.path,
      () => expect.unreachable(),
      () => {
        throw etcdError('NoLeader');
      },
    );
    await expect(refused.call(putBytes(Buffer.from('k')))).rejects.toThrow('no leader');
    expect(await refused.lines()).toMatchObject([{ key: 'k', code: 'Unavailable' }]);
    const malformed = audited(kv.txn.path, () => {
      throw new Error('bad');
    });
    await expect(malformed.call(Buffer.of(0x0a, 0x7f))).rejects.toThrow('bad');
    expect(await malformed.lines()).toMatchObject([{ method: 'KV/Txn', code: 'Unknown' }]);
  });

  it('has any key back, and never the value', async () => {
    const keys = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.string({ unit: 'binary', minLength: 1 }).map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(keys, async (key) => {
        const { call, lines } = audited(kv.put.path, () => Buffer.alloc(0));
        await call(putBytes(key, Buffer.from('a-secret-value-of-a-put')));
        const [line = {}] = await lines();
        const found =
          typeof line.key === 'string'
            ? Buffer.from(line.key)
            : Buffer.from(String(line.key_base64), 'base64');
        expect(found.equals(key)).toBe(true);
        expect(JSON.stringify(line)).not.toContain('a-secret-value');
      }),
    );
  });

  it('lists all operations of a transaction that was carried out, some of one that was not', async () => {
    const success = Array.from({ length: 500 }, (_, number) => ({
      request: {
        $case: 'requestPut' as const,
        value: kv.put.request.create({ key: Buffer.from(`k${number}`) }),
      },
    }));
    const request = Buffer.from(kv.txn.request.encode(kv.txn.request.create({ success })).finish());
    const done = audited(kv.txn.path, () => Buffer.alloc(0));
    await done.call(request);
    const [whole = {}] = await done.lines();
    expect(whole.operations).toHaveLength(500);
    expect(whole.operations_left_out).toBeUndefined();
    const refused = audited(kv.txn.path, () => {
      throw etcdError('TooManyOps');
    });
    await expect(refused.call(request)).rejects.toThrow('too many operations');
    const [cut = {}] = await refused.lines();
    expect(cut.operations).toHaveLength(128);
    expect(cut.operations_left_out).toBe(372);
  });
});
