import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { etcdError } from '../../../src/proto/errors.js';
import { SERVICES } from '../../../src/proto/services.js';
import { auditedMethods } from '../../../src/server/audit/audit-log.js';
import { AuditQueue } from '../../../src/server/audit/audit-queue.js';
import { requestMembers } from '../../../src/server/audit/field-scan.js';
import { LineWriter } from '../../../src/server/audit/line-writer.js';
import { REQUEST_FIELDS } from '../../../src/server/audit/method-fields.js';
import { MetricRegistry } from '../../../src/server/metrics/registry.js';
import { auditMetrics } from '../../../src/server/metrics/service-metrics.js';
import { guardedMethods } from '../../../src/server/rpc/checks.js';
import type { IdentifiedCall, RpcMethod, UnaryHandler } from '../../../src/server/rpc/transport.js';

const { kv } = SERVICES;

function callOf(method: string): IdentifiedCall {
  return {
    method,
    metadata: { get: () => undefined },
    peer: '10.0.0.1:77',
    commonName: 'client-of-certificate',
    deadlineMillis: undefined,
    signal: new AbortController().signal,
    username: '',
    identified(username) {
      Object.assign(this, { username });
    },
  };
}

/** Serves one method; gives what calls it as a transport does, and the lines so far. */
function audited(path: string, handle: UnaryHandler, check: () => void = () => {}) {
  let text = '';
  const clock = new ManualClock();
  const queue = new AuditQueue({
    clock,
    logger: silentLogger,
    metrics: auditMetrics(new MetricRegistry()),
    timeoutMillis: 7000,
    sink: new LineWriter({
      async append(lines) {
        text += lines.toString();
        return lines.length;
      },
      async close() {},
    }),
  });
  const method: RpcMethod = { path, kind: 'unary', handle };
  const [served] = auditedMethods(guardedMethods([method], [check]), {
    queue,
    clock,
    reads: true,
  });
  if (served?.kind !== 'unary' || served.recorder === undefined) throw new Error('no recorder');
  const { recorder } = served;
  return {
    clock,
    async call(request: Buffer): Promise<void> {
      const call = callOf(path);
      const started = recorder.started();
      try {
        recorder.answered(call, request, started, await served.handle(request, call));
      } catch (error) {
        recorder.refused(call, request, started, error);
        throw error;
      }
    },
    async lines(): Promise<Record<string, unknown>[]> {
      await queue.close();
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

const putBytes = (key: Uint8Array, value = Buffer.alloc(0)): Buffer =>
  Buffer.from(
    kv.put.request.encode(kv.put.request.create({ key: Buffer.from(key), value })).finish(),
  );

function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const tagBytes = (number: number, wireType: number): Buffer =>
  varintBytes((number << 3) | wireType);

const lengthDelimited = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([tagBytes(number, 2), varintBytes(bytes.length), bytes]);

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

  it('is the same whether a request is read here or from an excerpt', async () => {
    const value = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const field = fc
      .tuple(fc.constantFrom(1, 2, 3, 4, 5, 7, 9, 20), fc.boolean(), value, fc.nat())
      .map(([number, isBytes, bytes, varint]) =>
        isBytes && number !== 3
          ? lengthDelimited(number, bytes)
          : Buffer.concat([tagBytes(number, 0), varintBytes(varint)]),
      );
    const key = fc.oneof(
      value,
      fc.string({ maxLength: 300 }).map((text) => Buffer.from(text)),
    );
    const request = fc
      .tuple(fc.option(key), fc.option(value), fc.array(field, { maxLength: 3 }))
      .map(([key, value, others]) =>
        Buffer.concat([
          ...(key === null ? [] : [lengthDelimited(1, key)]),
          ...(value === null ? [] : [lengthDelimited(2, value)]),
          ...others,
        ]),
      );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(kv.put.path, kv.range.path),
        request,
        async (path, bytes) => {
          const { call, lines } = audited(path, () => Buffer.alloc(7));
          await call(bytes);
          const members = requestMembers(bytes, REQUEST_FIELDS.get(path) ?? []);
          const [line] = await lines();
          expect(line).toEqual({
            time: expect.any(String),
            method: path.slice(path.lastIndexOf('.') + 1),
            user: '',
            cn: 'client-of-certificate',
            peer: '10.0.0.1:77',
            ...(JSON.parse(`{${members.slice(1)}}`) as object),
            request_bytes: bytes.length,
            response_bytes: 7,
            code: 'OK',
            ms: 0,
          });
        },
      ),
      { numRuns: 500 },
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
