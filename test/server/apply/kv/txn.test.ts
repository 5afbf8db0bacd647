import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etcdError } from '../../../../src/proto/errors.js';
import {
  Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  type RequestOp,
  TxnResponse,
} from '../../../../src/proto/gen/etcdserverpb/rpc.js';
import { encodeTxnResult } from '../../../../src/server/apply/kv/encode-txn.js';
import { isReadOnlyTxn, isSerializableTxn } from '../../../../src/server/apply/kv/is-read-only.js';
import {
  applyTxn,
  type BranchResult,
  executeReadOnlyTxn,
  HalfAppliedTxnError,
} from '../../../../src/server/apply/kv/txn.js';
import { checkTxnRequest } from '../../../../src/server/apply/kv/validate.js';
import { openTestStore, type TestStore } from '../../../storage/mvcc/support.js';
import { ALWAYS, Client, compare, keys, keyValues, NEVER, op, txn } from './support.js';

let test: TestStore;
let client: Client;

beforeEach(async () => {
  test = await openTestStore();
  client = new Client(test.store);
});

afterEach(() => test.close());

const holds = (...compares: Compare[]): boolean => client.txn([], [], compares).succeeded;

describe('revisions', () => {
  it('T1: a transaction has a new revision if it changed something', () => {
    client.put('abc');
    expect(client.txn([op.range('abc')]).revision).toBe(2);
    expect(client.txn([op.del('def')]).revision).toBe(2);
    expect(client.txn([op.put('abc')]).revision).toBe(3);
  });

  it('T2: a range sees what an earlier operation put', () => {
    const { revision, results } = client.txn([op.put('t1', '1'), op.range('t1')]);
    expect(revision).toBe(2);
    expect(results.map(({ value }) => 'revision' in value && value.revision)).toEqual([2, 2]);
    const [, second] = results;
    expect(second?.kind === 'range' && keyValues(second.value)).toMatchObject([
      { createRevision: 2, modRevision: 2, version: 1 },
    ]);
  });

  it('operations before the first change carry the revision before', () => {
    client.put('a');
    const { results } = client.txn([
      op.range('a'),
      op.del('absent'),
      op.txn([op.range('a'), op.del('a')]),
      op.range('a'),
      op.del('absent'),
    ]);
    const response = TxnResponse.decode(encodeTxnResult(undefined, { succeeded: true, results }));
    const header = (i: number): number | undefined => {
      const message = response.responses[i]?.response;
      return message?.value.header?.revision;
    };
    expect([0, 1, 2, 3, 4].map(header)).toEqual([2, 2, 0, 3, 3]);
  });
});

describe('compares', () => {
  it('T3: every key of a range must satisfy it', () => {
    for (const key of ['/a/2', '/a/3', '/a/4', '/f/5']) {
      client.put(key, 'x');
    }
    expect(holds(compare('createRevision', '/a/', '<', 6, '\0'))).toBe(true);
    expect(holds(compare('createRevision', '/a/', '<', 5, '\0'))).toBe(false);
    expect(holds(compare('createRevision', '/a/', '<', 5, '/a0'))).toBe(true);
    expect(holds(compare('createRevision', '/a/', '<', 4, '/a0'))).toBe(false);
    expect(holds(compare('value', '/b/', '=', 'x', '/b0'))).toBe(false);
    expect(holds(compare('lease', '/a/', '>', 0n, '/a0'))).toBe(false);
    expect(holds(compare('lease', '/a/', '=', 0n, '/a0'))).toBe(true);
  });

  it('T4: an absent key compares as 0, but never by value', () => {
    expect(holds(compare('value', 'nokey', '=', ''))).toBe(false);
    expect(holds(compare('value', 'nokey', '!=', 'x'))).toBe(false);
    expect(holds(compare('version', 'nokey', '=', 0))).toBe(true);
    expect(holds(compare('createRevision', 'nokey', '>', 0))).toBe(false);
    expect(holds(compare('lease', 'nokey', '=', 0n))).toBe(true);
  });

  it('compares each target in each relation', () => {
    client.put('k', 'b', { lease: 7n });
    client.put('k', 'b', { lease: 7n });
    const stored = { version: 2, createRevision: 2, modRevision: 3 } as const;
    for (const [target, value] of Object.entries(stored)) {
      const relations = (given: number): boolean[] =>
        (['=', '!=', '>', '<'] as const).map((relation) =>
          holds(compare(target as keyof typeof stored, 'k', relation, given)),
        );
      expect(relations(value)).toEqual([true, false, false, false]);
      expect(relations(value - 1)).toEqual([false, true, true, false]);
      expect(relations(value + 1)).toEqual([false, true, false, true]);
    }
    expect(holds(compare('value', 'k', '>', 'a'))).toBe(true);
    expect(holds(compare('value', 'k', '<', 'ba'))).toBe(true);
    expect(holds(compare('value', 'k', '>', '\xff'))).toBe(false);
    expect(holds(compare('lease', 'k', '>', -1n))).toBe(true);
    expect(holds(compare('lease', 'k', '<', 8n))).toBe(true);
  });

  it('takes a missing or other union as 0, an unknown target as equal, an unknown relation as true', () => {
    client.put('k');
    const of = (fields: Partial<Compare>): boolean =>
      holds(Compare.create({ key: Buffer.from('k'), ...fields }));
    const { VERSION, VALUE } = CompareTarget;
    expect(of({ target: VERSION, result: CompareResult.GREATER })).toBe(true);
    expect(of({ target: VALUE, result: CompareResult.EQUAL })).toBe(true);
    const union = { $case: 'modRevision', value: 1 } as const;
    expect(of({ target: VERSION, result: CompareResult.EQUAL, targetUnion: union })).toBe(false);
    expect(of({ target: 9 as CompareTarget, result: CompareResult.EQUAL })).toBe(true);
    expect(of({ target: VERSION, result: 9 as CompareResult })).toBe(true);
  });

  it('must all hold; none at all do', () => {
    expect(holds()).toBe(true);
    expect(holds(compare('version', 'a', '=', 0), compare('version', 'a', '>', 0))).toBe(false);
  });

  it('of nested transactions look at the state before the whole', () => {
    const { results } = client.txn([
      op.put('a', '1'),
      op.txn([op.put('was-there')], [op.put('was-not')], [compare('version', 'a', '>', 0)]),
    ]);
    expect(results[1]?.value).toMatchObject({ succeeded: false });
    expect(keys(client.range('w', 'x'))).toEqual(['was-not']);
  });
});

describe('structure', () => {
  const repeat = (operation: (i: number) => RequestOp, count: number): RequestOp[] =>
    Array.from({ length: count }, (_, i) => operation(i));

  it('T5: has at most 128 operations a branch', () => {
    const tooMany = etcdError('TooManyOps');
    const puts = repeat((i) => op.put(`k${i}`), 129);
    const compares = Array.from({ length: 129 }, (_, i) => compare('version', `k${i}`, '=', 0));
    expect(() => client.txn([], [], compares)).toThrow(tooMany);
    expect(() => client.txn(puts)).toThrow(tooMany);
    expect(() => client.txn([], puts)).toThrow(tooMany);
    expect(() => client.txn(repeat(() => op.txn([]), 129))).toThrow(tooMany);
    expect(client.txn(puts.slice(1)).revision).toBe(2);
  });

  it('leaves nested transactions what their parents did not use', () => {
    const nested = (count: number): RequestOp => op.txn(repeat((i) => op.put(`n${i}`), count));
    const outer = repeat((i) => op.range(`k${i}`), 99);
    checkTxnRequest(txn([...outer, nested(28)]), 128);
    expect(() => checkTxnRequest(txn([...outer, nested(29)]), 128)).toThrow(
      etcdError('TooManyOps'),
    );
  });

  it('checks compares, then the operations of both branches', () => {
    const check = (...args: Parameters<typeof txn>): void => checkTxnRequest(txn(...args));
    const empty = etcdError('EmptyKey');
    expect(() => check([], [], [compare('version', '', '=', 0)])).toThrow(empty);
    expect(() => check([op.range('')])).toThrow(empty);
    expect(() => check([], [op.put('')])).toThrow(empty);
    expect(() => check([op.del('')])).toThrow(empty);
    expect(() => check([op.txn([], [op.put('')])])).toThrow(empty);
    expect(() => check([{ request: undefined }])).toThrow(etcdError('KeyNotFound'));
    expect(() => check([op.put('a', 'x', { ignoreValue: true })])).toThrow(
      etcdError('ValueProvided'),
    );
  });

  const P = (key = 'abc'): RequestOp => op.put(key);
  const D = op.del;

  it.each<[string, RequestOp[]]>([
    ['two puts', [P(), P()]],
    ['put and deletion', [P(), D('abc')]],
    ['deletion and put', [D('abc'), P()]],
    ['put and range deletion', [P(), D('a', 'b')]],
    ['put and nested deletion', [P(), op.txn([D('a', 'b')])]],
    ['deletion and nested put', [D('a', 'b'), op.txn([P()])]],
    ['siblings that put', [op.txn([P()], [P()]), op.txn([P()], [P()])]],
    ['sibling that deletes before one that puts (T7)', [op.txn([D('abc')]), op.txn([P()])]],
    ['else of a sibling', [op.txn([], [P()]), op.txn([], [P()])]],
    ['joined deletions', [D('a', 'ab'), D('abb', 'abz'), D('ab', 'abb'), P('abb')]],
  ])('T6: refuses %s', (_name, operations) => {
    const duplicate = etcdError('DuplicateKey');
    expect(() => checkTxnRequest(txn(operations))).toThrow(duplicate);
    expect(() => checkTxnRequest(txn([], operations))).toThrow(duplicate);
  });

  it.each<[string, RequestOp[]]>([
    ['a deletion up to the key', [D('abb', 'abc'), op.txn([P()], [P()])]],
    ['deletions of siblings', [op.txn([D('abc')]), op.txn([D('abc')], [D('abc')])]],
    ['deletions that overlap', [D('abc'), D('a', 'b'), D('abc')]],
    ['a put behind a deletion', [P(), D('abb', 'abc')]],
    ['sibling that puts before one that deletes (T7)', [op.txn([P()]), op.txn([D('abc')])]],
    ['a deletion of all keys from one on', [D('a', '\0'), P()]],
    ['an inverted deletion', [D('b', 'a'), P()]],
  ])('T6: accepts %s', (_name, operations) => {
    checkTxnRequest(txn(operations));
    checkTxnRequest(txn([], operations));
    client.txn(operations);
  });
});

describe('execution', () => {
  it('T7: a put and a deletion by siblings share a revision', () => {
    const events: boolean[] = [];
    test.store.setChangeListener((change) => {
      events.push(...change.events.map(({ isDelete }) => isDelete));
    });
    expect(client.txn([op.txn([op.put('a')]), op.txn([op.del('a')])]).revision).toBe(2);
    expect(events).toEqual([false, true]);
    expect(keys(client.range('a'))).toEqual([]);
  });

  it('a deletion of all keys from one on leaves what is put after it', async () => {
    client.put('a', 'old');
    client.put('b', 'old');
    client.txn([op.del('a', '\0'), op.put('a', 'new')]);
    await test.store.compact(4);
    expect(keyValues(client.range('\0', '\0')).map(({ value }) => `${value}`)).toEqual(['new']);
    expect(() => client.txn([op.del('a', '\0'), op.put('a', '', { ignoreValue: true })])).toThrow(
      etcdError('KeyNotFound'),
    );
    expect(keys(client.range('\0', '\0'))).toEqual(['a']);
  });

  it('T8: checks the revisions of ranges before anything is written', () => {
    for (let i = 0; i < 3; i++) {
      client.put('foo', String(i));
    }
    void test.store.compact(2);
    for (const isAwaited of [true, false]) {
      const at = (revision: number): void => {
        const operations = [op.put('foo', 'x'), op.range('foo', '', { revision })];
        applyTxn(test.store, txn(operations), isAwaited);
      };
      expect(() => at(100)).toThrow(etcdError('FutureRev'));
      expect(() => at(1)).toThrow(etcdError('Compacted'));
      // Trap: not "now" as in a range of its own.
      expect(() => at(-1)).toThrow(etcdError('Compacted'));
    }
    expect(keyValues(client.range('foo'))).toMatchObject([{ value: Buffer.from('2'), version: 3 }]);
  });

  it('T9: reports which branch each level took', () => {
    const path = [true, false, false, true, false, true, true, true, false, true];
    let request = txn([]);
    for (const taken of path.toReversed()) {
      const operation: RequestOp = { request: { $case: 'requestTxn', value: request } };
      request = txn([operation], [operation], taken ? ALWAYS : NEVER);
    }
    const seen: boolean[] = [];
    let result: BranchResult | undefined = applyTxn(test.store, request, true);
    while (result !== undefined && seen.length < path.length) {
      seen.push(result.succeeded);
      const [inner]: BranchResult['results'] = result.results;
      result = inner?.kind === 'txn' ? inner.value : undefined;
    }
    expect(seen).toEqual(path);
  });

  it('T10: checks only the branches that are taken', () => {
    const future = op.range('foo', '', { revision: 1000 });
    expect(client.txn([op.put('a')], [future]).revision).toBe(2);
    expect(() => client.txn([op.txn([future], [])])).toThrow(etcdError('FutureRev'));
    expect(client.txn([op.txn([future], [], NEVER)]).revision).toBe(2);
  });

  it('leaves out ranges that nobody reads', () => {
    client.put('a', '1');
    const request = txn([op.put('b'), op.range('a')]);
    const { results } = applyTxn(test.store, request, false);
    expect(results[1]).toEqual({
      kind: 'range',
      value: { revision: 3, keyValues: [], more: false, count: 0 },
    });
  });

  it('fails for good if the backend loses a row under it', () => {
    client.put('a', '1');
    test.backend.get = () => undefined;
    expect(() => client.txn([op.put('b'), op.range('a')])).toThrow(HalfAppliedTxnError);
  });
});

describe('read-only transactions', () => {
  it('are those of ranges alone, without nested ones', () => {
    expect(isReadOnlyTxn(txn([op.range('a')], [op.range('b')]))).toBe(true);
    expect(isReadOnlyTxn(txn([]))).toBe(true);
    expect(isReadOnlyTxn(txn([op.range('a')], [op.put('b')]))).toBe(false);
    expect(isReadOnlyTxn(txn([op.txn([op.range('a')])]))).toBe(false);
  });

  it('are serializable if all ranges are, so without any too', () => {
    const serializable = op.range('a', '', { serializable: true });
    expect(isSerializableTxn(txn([serializable], [serializable]))).toBe(true);
    expect(isSerializableTxn(txn([serializable], [op.range('b')]))).toBe(false);
    expect(isSerializableTxn(txn([]))).toBe(true);
  });

  it('read the current state', () => {
    client.put('a', '1');
    const request = txn([op.range('a')], [], [compare('version', 'a', '=', 1)]);
    const { succeeded, revision, results } = executeReadOnlyTxn(test.store, request);
    expect([succeeded, revision]).toEqual([true, 2]);
    expect(results[0]?.kind === 'range' && keys(results[0].value)).toEqual(['a']);
  });
});

describe('encoding', () => {
  it('has empty headers in nested transactions and the given one on top', () => {
    client.put('a', '1');
    const result = client.txn([
      op.range('a'),
      op.put('b', '2', { prevKv: true }),
      op.txn([op.del('a', '', true)]),
    ]);
    const header = Buffer.from('08011002', 'hex');
    const encoded = encodeTxnResult(header, result);
    expect(TxnResponse.decode(encoded)).toMatchObject({
      header: { clusterId: 1n, memberId: 2n },
      succeeded: true,
      responses: [
        { response: { $case: 'responseRange', value: { header: { revision: 2 }, count: 1 } } },
        { response: { $case: 'responsePut', value: { header: { revision: 3 } } } },
        {
          response: {
            $case: 'responseTxn',
            value: {
              succeeded: true,
              responses: [
                {
                  response: {
                    $case: 'responseDeleteRange',
                    value: { header: { revision: 3 }, deleted: 1, prevKvs: [{ modRevision: 2 }] },
                  },
                },
              ],
            },
          },
        },
      ],
    });
    const nested = client.txn([op.txn([])]);
    // responses[0]{response_txn{header{}, succeeded}}
    expect(encodeTxnResult(undefined, nested).toString('hex')).toBe('10011a0622040a001001');
  });
});
