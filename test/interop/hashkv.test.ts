import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { errorText } from '../../src/client/errors.js';
import type { Random } from '../../src/platform/random.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  type ResponseHeader,
  TxnResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { type KeyValueRequest, RequestGenerator } from './random-requests.js';

const OPERATIONS = 5000;
const SEED = 20;
/** Operations between two comparisons of hashes, of which every other comes with a compaction. */
const HASH_EVERY = 100;
const HASHED_REVISIONS = 4;
const LEASES = [1n, 2n];

/**
 * Where two checks of a transaction fail, etcd before 3.6 may name the other one: it checked all
 * puts before all ranges.
 */
const CHECKS_IN_ANOTHER_ORDER: readonly string[] = [
  'etcdserver: key not found',
  'etcdserver: requested lease not found',
  'etcdserver: mvcc: required revision has been compacted',
  'etcdserver: mvcc: required revision is a future revision',
];

/** What a server answers, without what names the server; `revision` is 0 for a refusal. */
interface Answer {
  readonly text: string;
  readonly revision: number;
}

/** Of the header only the revision is the same on every server. */
const onlyRevision = (header: ResponseHeader | undefined): ResponseHeader => ({
  clusterId: 0n,
  memberId: 0n,
  raftTerm: 0,
  revision: header?.revision ?? 0,
});

async function ask({ kv }: Client, request: KeyValueRequest): Promise<Answer> {
  const encoded = (header: ResponseHeader, bytes: Uint8Array): Answer => ({
    text: Buffer.from(bytes).toString('hex'),
    revision: header.revision,
  });
  switch (request.kind) {
    case 'range': {
      const response = await kv.range(request.value);
      const header = onlyRevision(response.header);
      return encoded(header, RangeResponse.encode({ ...response, header }).finish());
    }
    case 'put': {
      const response = await kv.put(request.value);
      const header = onlyRevision(response.header);
      return encoded(header, PutResponse.encode({ ...response, header }).finish());
    }
    case 'deleteRange': {
      const response = await kv.deleteRange(request.value);
      const header = onlyRevision(response.header);
      return encoded(header, DeleteRangeResponse.encode({ ...response, header }).finish());
    }
    case 'txn': {
      const response = await kv.txn(request.value);
      const header = onlyRevision(response.header);
      return encoded(header, TxnResponse.encode({ ...response, header }).finish());
    }
  }
}

async function answerOf(client: Client, request: KeyValueRequest): Promise<Answer> {
  try {
    return await ask(client, request);
  } catch (error) {
    return { text: errorText(error), revision: 0 };
  }
}

describe.skipIf(!hasRealEtcd)('HashKV beside a real etcd', () => {
  let real: RealEtcd;
  let own: TestEtcd;
  let clients: readonly [ours: Client, theirs: Client];
  const state = { currentRevision: 1, compactRevision: -1 };

  beforeAll(async () => {
    [real, own] = await Promise.all([
      startRealEtcd({ flags: ['--unsafe-no-fsync'] }),
      startEtcd({ storage: 'disk', flags: ['--unsafe-no-fsync'] }),
    ]);
    clients = [
      new Client({ endpoints: [own.endpoint] }),
      new Client({ endpoints: [real.endpoint] }),
    ];
    for (const { lease } of clients) {
      for (const ID of LEASES) await lease.grant({ ID, TTL: 100_000 });
    }
  });

  afterAll(async () => {
    for (const client of clients ?? []) client.close();
    await Promise.all([own?.stop(), real?.stop()]);
  });

  async function compareHash(revision: number): Promise<void> {
    const [ours, theirs] = await Promise.all(
      clients.map(({ maintenance }) => maintenance.hashKv(revision)),
    );
    const { hash, compactRevision } = theirs ?? {};
    expect(ours, `HashKV ${revision} of ${state.currentRevision}`).toMatchObject({
      hash,
      compactRevision,
    });
    expect(ours?.header?.revision).toBe(theirs?.header?.revision);
  }

  async function compareHashes(random: Random): Promise<void> {
    await compareHash(0);
    // Trap: etcd 3.4 refuses the compacted revision itself.
    const first = Math.max(state.compactRevision, 0) + 1;
    for (let i = 0; i < HASHED_REVISIONS; i++) {
      const revision = first + random.integer(state.currentRevision - first + 1);
      if (revision <= state.currentRevision) await compareHash(revision);
    }
  }

  async function compact(random: Random): Promise<void> {
    const revision = state.currentRevision - random.integer(60);
    if (revision <= state.compactRevision || revision < 1) return;
    await Promise.all(clients.map(({ kv }) => kv.compact({ revision, physical: true })));
    state.compactRevision = revision;
  }

  it(`is the same through ${OPERATIONS} random operations, and so are their answers`, async () => {
    const random = seededRandom(SEED);
    const generator = new RequestGenerator(random, state);
    const [us, them] = clients;
    let refused = 0;
    for (let i = 1; i <= OPERATIONS; i++) {
      const request = generator.next();
      const [ours, theirs] = await Promise.all([answerOf(us, request), answerOf(them, request)]);
      const isSameRefusal = [ours, theirs].every(({ text }) =>
        CHECKS_IN_ANOTHER_ORDER.includes(text),
      );
      if (!isSameRefusal) expect({ request, ours }).toEqual({ request, ours: theirs });
      if (ours.revision === 0) refused++;
      state.currentRevision = Math.max(state.currentRevision, ours.revision);
      if (i % HASH_EVERY === 0) await compareHashes(random);
      if (i % (2 * HASH_EVERY) === 0) {
        await compact(random);
        await compareHashes(random);
      }
    }
    expect(state.currentRevision).toBeGreaterThan(OPERATIONS / 5);
    expect(refused).toBeLessThan(OPERATIONS / 2);
  }, 90_000);
});
