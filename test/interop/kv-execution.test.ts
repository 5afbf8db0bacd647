import { credentials, Client as GrpcClient, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { statusOf } from '../../src/proto/errors.js';
import {
  CompactionRequest,
  DeleteRangeRequest,
  HashKVRequest,
  HashKVResponse,
  LeaseGrantRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { encodeDeleteRangeResponse } from '../../src/proto/hot/delete-range.js';
import { ResponseHeaderEncoder } from '../../src/proto/hot/header.js';
import { encodePutResponse } from '../../src/proto/hot/put.js';
import { encodeRangeResponse } from '../../src/proto/hot/range.js';
import { applyDeleteRange } from '../../src/server/apply/kv/delete-range.js';
import { encodeTxnResult } from '../../src/server/apply/kv/encode-txn.js';
import { applyPut } from '../../src/server/apply/kv/put.js';
import { executeRange } from '../../src/server/apply/kv/range.js';
import { applyTxn } from '../../src/server/apply/kv/txn.js';
import {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkTxnRequest,
} from '../../src/server/apply/kv/validate.js';
import type { MvccStore } from '../../src/storage/mvcc/store.js';
import { openTestStore, TestLeases, type TestStore } from '../storage/mvcc/support.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { type KeyValueRequest, RequestGenerator } from './random-requests.js';

const SEEDS = [1, 2, 3];
const REQUESTS = 1000;
/** Requests between two compactions. */
const COMPACT_EVERY = 150;
const LEASES = [1n, 2n];

/** A response, or the status of a refusal. */
type Answer = string;

/**
 * Before 3.6 all puts of a transaction were checked before its ranges, and the key of a put before
 * its lease: where two checks fail, the oracle may name the other one.
 */
const CHECKS_IN_ANOTHER_ORDER = [
  'etcdserver: key not found',
  'etcdserver: requested lease not found',
  'etcdserver: mvcc: required revision has been compacted',
  'etcdserver: mvcc: required revision is a future revision',
];

const identity = (bytes: Buffer): Buffer => bytes;

/** Unary calls on bytes. */
class Oracle {
  readonly #client: GrpcClient;

  constructor(endpoint: string) {
    this.#client = new GrpcClient(endpoint, credentials.createInsecure());
  }

  call(method: string, request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Buffer): void =>
        response === undefined ? reject(error) : resolve(response);
      const bytes = Buffer.from(request);
      this.#client.makeUnaryRequest(`/etcdserverpb.${method}`, identity, identity, bytes, done);
    });
  }

  async answer(request: KeyValueRequest): Promise<Answer> {
    try {
      return (await this.call(...encodeRequest(request))).toString('hex');
    } catch (error) {
      const { code, details } = error as ServiceError;
      return `${code} ${details}`;
    }
  }

  close(): void {
    this.#client.close();
  }
}

function encodeRequest(request: KeyValueRequest): [method: string, bytes: Uint8Array] {
  switch (request.kind) {
    case 'range':
      return ['KV/Range', RangeRequest.encode(request.value).finish()];
    case 'put':
      return ['KV/Put', PutRequest.encode(request.value).finish()];
    case 'deleteRange':
      return ['KV/DeleteRange', DeleteRangeRequest.encode(request.value).finish()];
    case 'txn':
      return ['KV/Txn', TxnRequest.encode(request.value).finish()];
  }
}

/** What our own execution answers, with a header for the given revision. */
function execute(
  store: MvccStore,
  request: KeyValueRequest,
  header: (revision: number) => Buffer,
): Buffer {
  switch (request.kind) {
    case 'range': {
      checkRangeRequest(request.value);
      const { revision, keyValues, more, count } = executeRange(store.reader, request.value);
      return encodeRangeResponse(header(revision), keyValues, more, count);
    }
    case 'put': {
      checkPutRequest(request.value);
      const { revision, previous } = applyPut(store, request.value);
      return encodePutResponse(header(revision), previous);
    }
    case 'deleteRange': {
      checkDeleteRangeRequest(request.value);
      const { revision, deleted, previous } = applyDeleteRange(store, request.value);
      return encodeDeleteRangeResponse(header(revision), deleted, previous);
    }
    case 'txn': {
      checkTxnRequest(request.value);
      const result = applyTxn(store, request.value, true);
      return encodeTxnResult(header(result.revision), result);
    }
  }
}

function answer(...args: Parameters<typeof execute>): Answer {
  try {
    return execute(...args).toString('hex');
  } catch (error) {
    const { code, message } = statusOf(error);
    return `${code} ${message}`;
  }
}

function isSameRefusal(ours: Answer, theirs: Answer): boolean {
  return [ours, theirs].every((text) => CHECKS_IN_ANOTHER_ORDER.some((c) => text.endsWith(c)));
}

describe.skipIf(!hasRealEtcd)('execution beside a real etcd', () => {
  let real: RealEtcd;
  let oracle: Oracle;
  let test: TestStore;

  beforeAll(async () => {
    real = await startRealEtcd({ flags: ['--unsafe-no-fsync'] });
    oracle = new Oracle(real.endpoint);
    for (const ID of LEASES) {
      await oracle.call('Lease/LeaseGrant', LeaseGrantRequest.encode({ ID, TTL: 3600 }).finish());
    }
    test = await openTestStore({ leases: new TestLeases(LEASES) });
  });

  afterAll(async () => {
    oracle?.close();
    await test?.close();
    await real?.stop();
  });

  async function makeHeader(): Promise<(revision: number) => Buffer> {
    const any = RangeRequest.encode(RangeRequest.create({ key: Buffer.from('x') })).finish();
    const { header } = RangeResponse.decode(await oracle.call('KV/Range', any));
    const encoder = new ResponseHeaderEncoder(header?.clusterId ?? 0n, header?.memberId ?? 0n);
    return (revision) => encoder.encode(revision, Number(header?.raftTerm ?? 0));
  }

  async function compareHashes(): Promise<void> {
    const request = HashKVRequest.encode({ revision: 0 }).finish();
    const { hash, compactRevision } = HashKVResponse.decode(
      await oracle.call('Maintenance/HashKV', request),
    );
    expect(await test.store.hashKeyValues(0)).toMatchObject({ hash, compactRevision });
  }

  async function compact(back: number): Promise<void> {
    const { store } = test;
    const revision = store.currentRevision - back;
    if (revision > store.compactRevision) {
      await store.compact(revision);
      const request = CompactionRequest.encode({ revision, physical: true }).finish();
      await oracle.call('KV/Compact', request);
    }
  }

  // The same stores go through all the seeds, so that later ones meet a history.
  it.each(SEEDS)(
    'gives the same bytes and hashes (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const generator = new RequestGenerator(random, test.store);
      const header = await makeHeader();
      for (let i = 1; i <= REQUESTS; i++) {
        const request = generator.next();
        const theirs = await oracle.answer(request);
        const ours = answer(test.store, request, header);
        if (ours !== theirs && !isSameRefusal(ours, theirs)) {
          expect({ request, answer: ours }, `request ${i}`).toEqual({ request, answer: theirs });
        }
        if (i % COMPACT_EVERY === 0) {
          await compareHashes();
          await compact(1 + random.integer(30));
          await compareHashes();
        }
      }
      await compareHashes();
    },
    60_000,
  );
});
