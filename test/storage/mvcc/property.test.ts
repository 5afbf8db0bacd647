import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import { MemoryBackend, type MemoryDisk } from '../../../src/storage/backend/memory.js';
import { MvccStore } from '../../../src/storage/mvcc/store.js';
import type { MvccChange } from '../../../src/storage/mvcc/types.js';
import { encodeRow, type ModelRow, type ModelWrite, MvccModel } from './model.js';
import { storeOptions, TestLeases } from './support.js';

const SEQUENCES = Number(process.env.ETCDKIT_SEQUENCES ?? 3000);
const COMMANDS = 40;
/** Small, so that a compaction of a few dozen rows takes several batches. */
const BATCH_LIMIT = 3;

const CONSISTENT_INDEX = Buffer.from('consistent_index');
const KEYS = ['a', 'a\0', 'b', 'b/1', 'b/2', 'c', '\xff', '\xff\xff'];

type Entry =
  | { readonly kind: 'write'; readonly operations: readonly ModelWrite[] }
  | { readonly kind: 'compact'; readonly fraction: number };

type Command =
  | Entry
  | { readonly kind: 'commit' | 'turn' | 'settle' | 'restart' | 'crash' }
  | { readonly kind: 'hash'; readonly fraction: number };

const key = fc.constantFrom(...KEYS);
const putOperation = fc.record({
  kind: fc.constant('put' as const),
  key,
  value: fc.string({ maxLength: 3 }),
  lease: fc.constantFrom(0n, 0n, 1n, -2n),
});
const deleteOperation = fc.record({
  kind: fc.constant('delete' as const),
  key,
  end: fc.constantFrom('', '', 'b0', 'c', '\xff\xff\xff'),
});
const operation = fc.oneof({ weight: 3, arbitrary: putOperation }, deleteOperation);
const fraction = fc.double({ min: 0, max: 1, noNaN: true });

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      operations: fc.array(operation, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('compact' as const), fraction }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hash' as const), fraction }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom<'commit' | 'turn' | 'settle' | 'restart' | 'crash'>(
        'commit',
        'turn',
        'turn',
        'settle',
        'restart',
        'crash',
      ),
    }),
  },
);

/** A store on a disk that can crash, with the log that replays what the crash lost. */
class Member {
  readonly model = new MvccModel();
  /** What was announced, by revision; a replay announces again. */
  readonly changes = new Map<number, MvccChange>();
  readonly #log: { entry: Entry; compacts: number }[] = [];
  #applied = 0;
  backend = new MemoryBackend();
  leases = new TestLeases();
  store: MvccStore;

  private constructor(store: MvccStore, backend: MemoryBackend, leases: TestLeases) {
    this.store = store;
    this.backend = backend;
    this.leases = leases;
    this.#listen();
  }

  static async start(): Promise<Member> {
    const backend = new MemoryBackend();
    const leases = new TestLeases();
    return new Member(await openStore(backend, leases), backend, leases);
  }

  async run(command: Command): Promise<void> {
    switch (command.kind) {
      case 'write':
      case 'compact':
        this.#propose(command);
        break;
      case 'commit':
        await this.backend.commit();
        break;
      case 'turn':
        await nextTurn();
        break;
      case 'settle':
        await this.store.whenCompactionsEnd();
        break;
      case 'hash':
        await this.#hashWhileOthersRun(command.fraction);
        break;
      case 'restart':
        await this.store.close();
        await this.backend.close();
        await this.#open(this.backend.disk);
        break;
      case 'crash': {
        const disk = this.backend.crash();
        await this.store.close();
        await this.#open(disk);
        break;
      }
    }
  }

  #propose(entry: Entry): void {
    const { model } = this;
    let compacts = 0;
    if (entry.kind === 'write') {
      model.write(entry.operations);
    } else {
      compacts = Math.round(entry.fraction * model.currentRevision);
      model.compactRevision = Math.max(model.compactRevision, compacts);
    }
    this.#log.push({ entry, compacts });
    this.#applyLog();
  }

  #applyLog(): void {
    for (const { entry, compacts } of this.#log.slice(this.#applied)) {
      this.#applied++;
      if (entry.kind === 'write') {
        applyWrites(this.store, entry.operations);
      } else if (compacts > this.store.compactRevision) {
        // Not awaited: it goes on while the next commands run.
        void this.store.compact(compacts);
      } else {
        expect(() => this.store.compact(compacts)).toThrow('compacted');
      }
    }
  }

  async #open(disk: MemoryDisk): Promise<void> {
    this.backend = new MemoryBackend({ disk });
    const index = this.backend.get('meta', CONSISTENT_INDEX);
    this.#applied = index === undefined ? 0 : index.readUInt32BE(0);
    this.leases = new TestLeases();
    this.store = await openStore(this.backend, this.leases);
    this.#listen();
    this.#applyLog();
  }

  #listen(): void {
    const { backend } = this;
    backend.setPreCommitHook(() => {
      const index = Buffer.alloc(4);
      index.writeUInt32BE(this.#applied);
      backend.put('meta', CONSISTENT_INDEX, index);
    });
    this.store.setChangeListener((change) => this.changes.set(change.revision, change));
  }

  async #hashWhileOthersRun(fraction: number): Promise<void> {
    const { model, store } = this;
    const from = Math.max(1, model.compactRevision);
    const revision = from + Math.floor(fraction * (model.currentRevision - from));
    // Trap of etcd: with nothing to keep the hash depends on how far the compaction is.
    if (model.stateAt(revision).size > 0) {
      const { hash, compactRevision } = await store.hashKeyValues(revision);
      expect(hash).toBe(model.hashAt(revision, compactRevision));
    }
  }
}

function openStore(backend: MemoryBackend, leases: TestLeases): Promise<MvccStore> {
  const options = storeOptions(backend, leases);
  return MvccStore.open({ ...options, compactionBatchLimit: BATCH_LIMIT });
}

function applyWrites(store: MvccStore, operations: readonly ModelWrite[]): void {
  const txn = store.write();
  for (const write of operations) {
    if (write.kind === 'put') {
      txn.put(Buffer.from(write.key, 'latin1'), Buffer.from(write.value, 'latin1'), write.lease);
    } else {
      txn.deleteRange(write.key, write.end);
    }
  }
  txn.end();
}

/** An `expect` that costs nothing while it holds: it is called a few million times. */
function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) {
    expect(actual, what).toEqual(expected);
  }
}

/** Compares everything that can be read with the model. */
async function checkAgainstModel(member: Member): Promise<void> {
  const { model, store, leases } = member;
  const { currentRevision, compactRevision } = model;
  same(store.currentRevision, currentRevision, 'current revision');
  same(store.compactRevision, compactRevision, 'compacted revision');
  const first = Math.max(1, compactRevision);
  for (let revision = first; revision <= currentRevision; revision++) {
    checkState(member, revision);
  }
  const attached = new Map<string, bigint>();
  for (const { key, keyValue } of model.stateAt(currentRevision).values()) {
    if (keyValue.lease !== 0n) {
      attached.set(key, keyValue.lease);
    }
  }
  same(leases.keys, attached, 'leases');
  await store.whenCompactionsEnd();
  checkRows(member);
  for (let revision = first; revision <= currentRevision; revision++) {
    const { hash, compactRevision: after } = await store.hashKeyValues(revision);
    const isTakenByCompaction = after !== compactRevision;
    same(hash, model.hashAt(revision, after, isTakenByCompaction), `hash at ${revision}`);
  }
}

function checkState({ model, store }: Member, revision: number): void {
  const { reader } = store;
  const expected = [...model.stateAt(revision).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  const entries = reader.select('\0', '\0', revision, 0);
  same(
    entries.map((entry) => ({ ...entry, row: reader.fetch(entry) })),
    expected.map((row) => ({
      key: row.key,
      main: row.main,
      sub: row.sub,
      created: row.keyValue.createRevision,
      version: row.keyValue.version,
      row: encodeRow(row)[1],
    })),
    `state at ${revision}`,
  );
  const within = expected.filter(({ key }) => key >= 'b' && key < 'c').length;
  same(reader.count('b', 'c', revision), within, `count at ${revision}`);
  same(reader.select('b', 'c', revision, 1).length, Math.min(1, within), `limit at ${revision}`);
}

/** The rows left on the disk, and the changes that watchers read from them. */
function checkRows({ model, store, backend, changes }: Member): void {
  const surviving = model.survivingRows();
  same([...backend.range('key', Buffer.alloc(1))], surviving.map(encodeRow), 'rows');
  const from = Math.max(1, model.compactRevision + 1);
  const read = [...store.changesFrom(from)];
  same(
    read.flatMap(({ events }) => events.map((event) => event.keyValue)),
    surviving.filter(({ main }) => main >= from).map(eventOf),
    'events',
  );
  same(
    read,
    read.map(({ revision }) => changes.get(revision)),
    'changes',
  );
}

function eventOf(row: ModelRow): Buffer {
  const deleted = KeyValue.create({ key: Buffer.from(row.key, 'latin1'), modRevision: row.main });
  return Buffer.from(KeyValue.encode(row.keyValue ?? deleted).finish());
}

it('hashes like etcd when a compaction keeps nothing but a tombstone', async () => {
  const member = await Member.start();
  const put = { kind: 'put', key: 'a', value: '', lease: 0n } as const;
  const deletion = { kind: 'delete', key: 'a', end: '' } as const;
  const sequence: Command[] = [
    { kind: 'write', operations: [put] },
    { kind: 'compact', fraction: 0.75 },
    { kind: 'settle' },
    { kind: 'write', operations: [deletion] },
    { kind: 'write', operations: [put, deletion] },
    { kind: 'compact', fraction: 0.625 },
  ];
  for (const next of sequence) {
    await member.run(next);
  }
  await checkAgainstModel(member);
  const { hash, compactRevision } = await member.store.hashKeyValues(3);
  expect(compactRevision).toBe(2);
  expect(hash).not.toBe(member.model.hashAt(3, 2, false));
  await member.store.close();
});

it(`behaves as the model in ${SEQUENCES} sequences of writes, compactions and crashes`, async () => {
  const sequence = fc.array(command, { maxLength: COMMANDS, size: 'max' });
  await fc.assert(
    fc.asyncProperty(sequence, async (commands) => {
      const member = await Member.start();
      for (const next of commands) {
        await member.run(next);
      }
      await checkAgainstModel(member);
      await member.run({ kind: 'restart' });
      await checkAgainstModel(member);
      await member.store.close();
    }),
    { numRuns: SEQUENCES },
  );
}, 600_000);
