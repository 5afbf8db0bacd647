import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Random } from '../../src/platform/random.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { KeyspaceModel, type ModelChange } from '../support/keyspace-model.js';
import type { ChronicleEntry } from './chronicle.js';
import { checkHistory } from './history-checker.js';
import { type Call, isLinearizable, type SequentialModel } from './linearizability.js';
import { effectOn, type Operation, type OperationRecord } from './operations.js';
import { Violation } from './violation.js';

type History = { chronicle: ChronicleEntry[]; records: OperationRecord[] };

/** Carries operations out, each at one moment between its start and its end. */
class Server {
  readonly model = new KeyspaceModel();
  readonly chronicle: ChronicleEntry[] = [];
  readonly records: OperationRecord[] = [];

  /** An operation that is carried out, and answered unless `isLost`. */
  call(operation: Operation, start: number, end: number, isLost = false): OperationRecord {
    const { changes, content } = effectOn(this.model, operation);
    const events = this.model.apply(changes);
    const revision = this.model.currentRevision;
    if (events.length > 0) this.chronicle.push({ revision, events, time: start });
    const record: OperationRecord = {
      client: 'c',
      operation,
      start,
      end,
      outcome: isLost ? { kind: 'unknown' } : { kind: 'answered', answer: { revision, content } },
    };
    this.records.push(record);
    return record;
  }

  /** An operation that nobody carries out. */
  ignore(operation: Operation, start: number, end: number): void {
    this.records.push({ client: 'c', operation, start, end, outcome: { kind: 'unknown' } });
  }
}

const put = (key: string, value: string, lease = 0n): Operation => ({
  kind: 'put',
  key,
  value,
  lease,
});
const get = (key: string, isSerializable = false): Operation => ({
  kind: 'range',
  key,
  end: '',
  isSerializable,
  revision: 0,
});
const swap = (key: string, from: string | undefined, to: string): Operation => ({
  kind: 'txn',
  conditions: [{ key, value: from }],
  success: [{ kind: 'put', key, value: to, lease: 0n }],
  failure: [{ kind: 'range', key, end: '' }],
});

/** Makes a history of the calls and then spoils it. */
function history(live: (server: Server) => void): Server {
  const server = new Server();
  live(server);
  return server;
}

const ruleOf = (server: History): string | undefined => {
  try {
    checkHistory(server);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.rule;
    throw error;
  }
};

describe('a history that the members explain', () => {
  it('is accepted', () => {
    const server = history((to) => {
      to.call(put('a', '1'), 0, 5);
      to.call(get('a'), 1, 2);
      to.call(swap('a', '1', '2'), 6, 7);
      to.call(swap('a', '1', '3'), 6, 8);
      to.call({ kind: 'delete', key: 'a', end: '' }, 9, 10);
      to.call({ kind: 'delete', key: 'a', end: '' }, 11, 12);
      to.ignore(put('a', '4'), 11, 20);
      to.call(put('a', '5'), 11, 20, true);
      to.call(get('a'), 13, 14);
    });
    expect(checkHistory(server).currentRevision).toBe(5);
  });

  it('may hold stale serializable reads', () => {
    const server = history((to) => {
      to.call(put('a', '1'), 0, 1);
      to.call(get('a', true), 4, 5);
      to.call(put('a', '2'), 2, 3);
    });
    expect(ruleOf(server)).toBeUndefined();
  });

  it('may end leases that were granted', () => {
    const server = history((to) => {
      to.call({ kind: 'grant', lease: 7n, ttlSeconds: 1 }, 0, 1);
      to.call(put('a', '1', 7n), 2, 3);
      const events = to.model.apply([{ kind: 'delete', key: 'a' }]);
      to.chronicle.push({ revision: 3, events, time: 4 });
      to.call(get('a'), 5, 6);
    });
    expect(ruleOf(server)).toBeUndefined();
  });
});

describe('a history is refused', () => {
  const spoilt: Record<string, readonly [rule: string, (server: Server) => void]> = {
    'with a stale read': [
      'linearizability',
      (to) => {
        to.call(get('a'), 4, 5);
        to.call(put('a', '1'), 0, 1);
      },
    ],
    'with a stale serializable read of what never was': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 0, 1);
        const read = to.call(get('a', true), 2, 3);
        read.outcome = { kind: 'answered', answer: { revision: 2, content: '' } };
      },
    ],
    'with a serializable read from the future': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 2, 3);
        to.call(get('a', true), 0, 1);
      },
    ],
    'with writes in the wrong order': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 2, 3);
        to.call(put('a', '2'), 0, 1);
      },
    ],
    'with a write that was acknowledged and lost': [
      'nothing is lost',
      (to) => {
        to.call(put('a', '1'), 0, 1);
        const lost: Operation = put('a', '2');
        const answer = { revision: 3, content: '' };
        to.records.push({
          client: 'c',
          operation: lost,
          start: 2,
          end: 3,
          outcome: { kind: 'answered', answer },
        });
      },
    ],
    'with a deletion that was acknowledged and lost': [
      'nothing is lost',
      (to) => {
        to.call(put('a', '1'), 0, 1);
        const record = to.call(get('a'), 2, 3);
        const operation: Operation = { kind: 'delete', key: 'a', end: '' };
        const answer = { revision: 2, content: '0' };
        to.records.push({ ...record, operation, outcome: { kind: 'answered', answer } });
      },
    ],
    'with a write that nobody asked for': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 0, 1);
        to.records.pop();
      },
    ],
    'with a write that happened twice': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 0, 9);
        to.call(put('a', '1'), 0, 9);
        to.records.pop();
      },
    ],
    'with a write that was refused and happened': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 0, 1).outcome = { kind: 'refused', reason: 'no' };
      },
    ],
    'with a write before it was asked for': [
      'linearizability',
      (to) => {
        to.call(put('a', '1'), 10, 20, true);
        to.call(get('a'), 0, 1);
      },
    ],
    'with a swap of what was not there': [
      'linearizability',
      (to) => {
        to.call(swap('a', undefined, '1'), 0, 1);
        const record = to.records[0] as OperationRecord;
        to.records[0] = { ...record, operation: swap('a', '0', '1') };
      },
    ],
    'with a put under a lease that ended': [
      'leases',
      (to) => {
        to.call({ kind: 'grant', lease: 7n, ttlSeconds: 1 }, 0, 1);
        to.call({ kind: 'revoke', lease: 7n }, 2, 3);
        to.call(put('a', '1', 7n), 4, 5);
      },
    ],
    'with a put under a lease that nobody granted': [
      'leases',
      (to) => {
        to.call(put('a', '1', 7n), 4, 5);
      },
    ],
  };
  it.each(Object.entries(spoilt))('%s', (_, [rule, live]) => {
    expect(ruleOf(history(live))).toBe(rule);
  });
});

/** The server as the other checker sees it: a state is what was done so far. */
const keyspace: SequentialModel<readonly (readonly ModelChange[])[], OperationRecord> = {
  initial: [],
  step(done, { operation, outcome }) {
    const model = replay(done);
    const { changes, content } = effectOn(model, operation);
    const next = changes.length > 0 ? [...done, changes] : done;
    if (outcome.kind !== 'answered') return next;
    const revision = 1 + next.length;
    const isRight = outcome.answer.revision === revision && outcome.answer.content === content;
    return isRight ? next : undefined;
  },
  show: (done) => JSON.stringify(done, (_, value) => (typeof value === 'bigint' ? 0 : value)),
};

function replay(done: readonly (readonly ModelChange[])[]): KeyspaceModel {
  const model = new KeyspaceModel();
  for (const changes of done) model.apply(changes);
  return model;
}

function isLinearizableByTrial({ records }: History): boolean {
  const calls = records.map(
    (record): Call<OperationRecord> => ({
      start: record.start,
      end: record.outcome.kind === 'answered' ? record.end : Number.POSITIVE_INFINITY,
      content: record,
    }),
  );
  return isLinearizable(calls, keyspace);
}

/** A history of operations that overlap, carried out one after another. */
function randomHistory(random: Random, mayLose: boolean): Server {
  const server = new Server();
  const count = 3 + random.integer(6);
  for (let at = 0; at < count; at++) {
    const moment = 10 * at;
    const start = moment - random.integer(25);
    const end = moment + 1 + random.integer(25);
    const operation = randomOperation(random, `v${at}`);
    if (mayLose && random.integer(6) === 0) server.ignore(operation, start, end);
    else server.call(operation, start, end, mayLose && random.integer(6) === 0);
  }
  return server;
}

function randomOperation(random: Random, value: string): Operation {
  const key = `k${random.integer(2)}`;
  switch (random.integer(4)) {
    case 0:
      return put(key, value);
    case 1:
      return { kind: 'delete', key, end: '' };
    case 2:
      return swap(key, random.integer(2) === 0 ? undefined : `v${random.integer(5)}`, value);
    default:
      return get(key);
  }
}

/** Changes when something was answered, or what. */
function spoil(random: Random, { records }: Server): void {
  const answered = records.filter(({ outcome }) => outcome.kind === 'answered');
  const at = random.integer(answered.length);
  const record = answered[at];
  if (record?.outcome.kind !== 'answered') return;
  const other = answered[random.integer(answered.length)];
  switch (random.integer(4)) {
    case 0:
      record.end = record.start + 1;
      return;
    case 1: {
      const moved = { ...record, start: record.start + 30, end: record.end + 30 };
      records[records.indexOf(record)] = moved;
      return;
    }
    case 2:
      if (record.operation.kind === 'range' && other?.outcome.kind === 'answered') {
        record.outcome = other.operation.kind === 'range' ? other.outcome : record.outcome;
      }
      return;
    default:
      if (record.operation.kind === 'range') {
        const { revision, content } = record.outcome.answer;
        record.outcome = { kind: 'answered', answer: { revision: revision - 1, content } };
      }
  }
}

describe('on random histories', () => {
  const accepts = (server: History): boolean => ruleOf(server) === undefined;

  it('accepts what was carried out in order', () => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, mayLose) => {
        expect(ruleOf(randomHistory(seededRandom(seed), mayLose))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('comes to the same verdict as trying all orders', () => {
    const verdicts = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed);
        const server = randomHistory(random, false);
        spoil(random, server);
        const expected = isLinearizableByTrial(server);
        expect(accepts(server)).toBe(expected);
        verdicts[expected ? 'accepted' : 'refused']++;
      }),
      { numRuns: 1500 },
    );
    expect(verdicts.refused).toBeGreaterThan(100);
    expect(verdicts.accepted).toBeGreaterThan(100);
  });

  it('never accepts what no order explains, with operations that nobody answered', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed);
        const server = randomHistory(random, true);
        spoil(random, server);
        if (accepts(server)) expect(isLinearizableByTrial(server)).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });
});
