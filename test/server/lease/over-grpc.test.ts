import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../../src/client/client.js';
import { Event_EventType as EventType } from '../../../src/proto/gen/mvccpb/kv.js';
import { SERVICES } from '../../../src/proto/services.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';
import { failureOf, GrpcClient } from '../../support/grpc-client.js';
import { RawStream } from '../../support/raw-stream.js';

const { lease, kv } = SERVICES;
const UNKNOWN = 987_654_321n;
const NOT_FOUND = { code: 5, message: 'etcdserver: requested lease not found' };
/** The shortest that there is, seconds. */
const SHORTEST_TTL = 2;

const bytes = (text: string): Buffer => Buffer.from(text);

/** Names are those of reference, semantics 13. */
describe('leases over gRPC', () => {
  let etcd: TestEtcd;
  let grpc: GrpcClient;
  let client: Client;
  const streams: { close(): void }[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    grpc = new GrpcClient(etcd.endpoint);
    client = new Client({ endpoints: [etcd.endpoint] });
  });

  afterEach(() => {
    for (const stream of streams.splice(0)) stream.close();
  });

  afterAll(async () => {
    grpc?.close();
    client?.close();
    await etcd?.stop();
  });

  async function grant(TTL: number): Promise<bigint> {
    return (await grpc.unary(lease.leaseGrant, { TTL })).ID;
  }

  function keepAliveStream() {
    const stream = new RawStream(etcd.url, lease.leaseKeepAlive);
    streams.push(stream);
    return stream;
  }

  async function revision(): Promise<number> {
    return (await grpc.unary(kv.range, { key: bytes('any') })).header?.revision ?? -1;
  }

  it('L1, L2: bounds the TTL and refuses an id in use', async () => {
    expect((await grpc.unary(lease.leaseGrant, { TTL: 1 })).TTL).toBe(SHORTEST_TTL);
    expect((await grpc.unary(lease.leaseGrant, { TTL: -5 })).TTL).toBe(SHORTEST_TTL);
    expect(await failureOf(grpc.unary(lease.leaseGrant, { TTL: 9_000_000_001 }))).toEqual({
      code: 11,
      message: 'etcdserver: too large lease TTL',
    });
    const ID = await grant(60);
    expect(await failureOf(grpc.unary(lease.leaseGrant, { ID, TTL: 60 }))).toEqual({
      code: 9,
      message: 'etcdserver: lease already exists',
    });
  });

  it('L6: a revoked lease is gone for everybody', async () => {
    const ID = await grant(60);
    await grpc.unary(lease.leaseRevoke, { ID });
    expect(await failureOf(grpc.unary(lease.leaseRevoke, { ID }))).toEqual(NOT_FOUND);
    expect(await failureOf(grpc.unary(kv.put, { key: bytes('k'), lease: ID }))).toEqual(NOT_FOUND);
    const answer = await grpc.unary(lease.leaseTimeToLive, { ID, keys: true });
    expect(answer).toMatchObject({ ID, TTL: -1, grantedTTL: 0, keys: [] });
    const stream = keepAliveStream();
    stream.send({ ID });
    expect(await stream.next()).toMatchObject({ ID, TTL: 0 });
  });

  it('L7: a revocation deletes its keys in one revision, in order; without keys it makes none', async () => {
    const ID = await grant(60);
    for (const key of ['L7/b', 'L7/a', 'L7/c']) {
      await grpc.unary(kv.put, { key: bytes(key), lease: ID });
    }
    const before = await revision();
    const watcher = client.watch.watch({
      key: bytes('L7/'),
      rangeEnd: bytes('L70'),
      startRevision: before + 1,
    });
    const answer = await grpc.unary(lease.leaseRevoke, { ID });
    expect(answer.header?.revision).toBe(before + 1);
    for await (const { header, events } of watcher) {
      if (events.length === 0) continue;
      expect(header?.revision).toBe(before + 1);
      expect(events.map(({ type, kv: event }) => [type, `${event?.key}`])).toEqual(
        ['L7/a', 'L7/b', 'L7/c'].map((key) => [EventType.DELETE, key]),
      );
      break;
    }
    const empty = await grant(60);
    await grpc.unary(lease.leaseRevoke, { ID: empty });
    expect(await revision()).toBe(before + 1);
  });

  it('L12: lists leases by the time they have left, and tells time and keys of one', async () => {
    const ids: bigint[] = [];
    for (let i = 0; i < 5; i++) ids.push(await grant(30));
    const { leases } = await grpc.unary(lease.leaseLeases, {});
    expect(leases.map(({ ID }) => ID).filter((id) => ids.includes(id))).toEqual(ids);
    const ID = await grant(10);
    for (const key of ['foo1', 'foo2']) await grpc.unary(kv.put, { key: bytes(key), lease: ID });
    const answer = await grpc.unary(lease.leaseTimeToLive, { ID, keys: true });
    expect(answer.grantedTTL).toBe(10);
    expect([9, 10]).toContain(answer.TTL);
    expect(answer.keys.map(String).sort()).toEqual(['foo1', 'foo2']);
    expect((await grpc.unary(lease.leaseTimeToLive, { ID })).keys).toEqual([]);
  });

  it('answers renewals one by one and in order, with TTL 0 for the unknown', async () => {
    const [first, second] = [await grant(60), await grant(70)];
    const stream = keepAliveStream();
    for (const ID of [first, UNKNOWN, second, first, UNKNOWN]) stream.send({ ID });
    const answers: [bigint, number][] = [];
    for (let i = 0; i < 5; i++) {
      const { ID, TTL, header } = await stream.next();
      expect(header?.revision).toBe(await revision());
      answers.push([ID, TTL]);
    }
    expect(answers).toEqual([
      [first, 60],
      [UNKNOWN, 0],
      [second, 70],
      [first, 60],
      [UNKNOWN, 0],
    ]);
  });

  it('ends a stream of renewals with OK when the client has ended its side', async () => {
    const ID = await grant(60);
    const stream = keepAliveStream();
    stream.send({ ID });
    stream.halfClose();
    expect(await stream.next()).toMatchObject({ ID, TTL: 60 });
    expect(await stream.status).toBe('0');
    const idle = keepAliveStream();
    idle.halfClose();
    expect(await idle.status).toBe('0');
  });

  it('ends a stream of renewals that sends what is no message', async () => {
    const stream = keepAliveStream();
    stream.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
    expect(await stream.status).toBe('13');
  });

  it('revokes what expired through the log, and not what was renewed', async () => {
    const [dying, kept] = [await grant(SHORTEST_TTL), await grant(SHORTEST_TTL)];
    await grpc.unary(kv.put, { key: bytes('expiry/dying'), lease: dying });
    await grpc.unary(kv.put, { key: bytes('expiry/kept'), lease: kept });
    const before = await revision();
    const started = performance.now();
    const renewals = keepAliveStream();
    const renewing = setInterval(() => renewals.send({ ID: kept }), 500);
    try {
      const watcher = client.watch.watch({ key: bytes('expiry/'), rangeEnd: bytes('expiry0') });
      for await (const { events } of watcher) {
        if (events.length === 0) continue;
        expect(events.map(({ kv: event }) => `${event?.key}`)).toEqual(['expiry/dying']);
        break;
      }
    } finally {
      clearInterval(renewing);
    }
    const seconds = (performance.now() - started) / 1000;
    expect(seconds).toBeGreaterThan(SHORTEST_TTL - 0.2);
    expect(seconds).toBeLessThan(SHORTEST_TTL + 3);
    expect(await revision()).toBe(before + 1);
    expect((await grpc.unary(lease.leaseTimeToLive, { ID: dying })).TTL).toBe(-1);
    expect((await grpc.unary(lease.leaseTimeToLive, { ID: kept })).grantedTTL).toBe(SHORTEST_TTL);
  });
});
