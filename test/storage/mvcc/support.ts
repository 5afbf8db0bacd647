import { type KeyText, keyText } from '../../../src/base/bytes.js';
import { silentLogger } from '../../../src/base/logger.js';
import type { Clock } from '../../../src/platform/clock.js';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import type { Backend } from '../../../src/storage/backend/backend.js';
import { MemoryBackend, type MemoryDisk } from '../../../src/storage/backend/memory.js';
import { MvccStore, type MvccStoreOptions } from '../../../src/storage/mvcc/store.js';
import type { LeaseAttachments } from '../../../src/storage/mvcc/types.js';

/** A clock on which every timer is due at once, in its own turn of the event loop. */
export const eagerClock: Clock = {
  wallMillis: () => 0,
  monotonicMillis: () => 0,
  setTimer(_delayMillis, callback) {
    const immediate = setImmediate(callback);
    return { cancel: () => clearImmediate(immediate) };
  },
  defer(callback) {
    setImmediate(callback);
  },
  setPeriodic() {
    throw new Error('no part of the store is periodic');
  },
};

/** Leases as a lessor would keep them; any id exists unless `known` says otherwise. */
export class TestLeases implements LeaseAttachments {
  readonly keys = new Map<KeyText, bigint>();
  readonly known: ReadonlySet<bigint> | undefined;

  constructor(known?: readonly bigint[]) {
    this.known = known && new Set(known);
  }

  has(id: bigint): boolean {
    return this.known?.has(id) ?? true;
  }

  leaseOf(key: KeyText): bigint {
    return this.keys.get(key) ?? 0n;
  }

  attach(id: bigint, key: KeyText): void {
    this.keys.set(key, id);
  }

  detach(id: bigint, key: KeyText): void {
    if (this.keys.get(key) !== id) {
      throw new Error(`key ${key} is not attached to lease ${id}`);
    }
    this.keys.delete(key);
  }
}

export interface TestStore {
  readonly store: MvccStore;
  readonly backend: MemoryBackend;
  readonly leases: TestLeases;
  /** Closes the store and its backend and opens what is on the disk. */
  restart(): Promise<TestStore>;
  close(): Promise<void>;
}

const failTest = (error: Error): void => {
  throw error;
};

export function storeOptions(backend: Backend, leases: LeaseAttachments): MvccStoreOptions {
  return { backend, leases, clock: eagerClock, logger: silentLogger, onFatal: failTest };
}

export async function openTestStore(
  options: Partial<MvccStoreOptions> & { disk?: MemoryDisk; leases?: TestLeases } = {},
): Promise<TestStore> {
  const { disk, leases = new TestLeases(), ...rest } = options;
  const backend = new MemoryBackend(disk === undefined ? {} : { disk });
  const store = await MvccStore.open({ ...storeOptions(backend, leases), ...rest });
  const close = async (): Promise<void> => {
    await store.close();
    await backend.close();
  };
  return {
    store,
    backend,
    leases,
    close,
    restart: async () => {
      await close();
      const known = leases.known && [...leases.known];
      return openTestStore({ ...rest, disk: backend.disk, leases: new TestLeases(known) });
    },
  };
}

/** Puts in a transaction of its own; returns the revision. */
export function put(store: MvccStore, key: string, value = '', lease = 0n): number {
  const txn = store.write();
  const revision = txn.put(Buffer.from(key, 'latin1'), Buffer.from(value), lease);
  txn.end();
  return revision;
}

/** Deletes in a transaction of its own; returns how many and the header revision. */
export function del(store: MvccStore, key: string, end = ''): { deleted: number; rev: number } {
  const txn = store.write();
  const deleted = txn.deleteRange(key, end);
  const rev = txn.revision;
  txn.end();
  return { deleted, rev };
}

/** The decoded KeyValues of a range. */
export function get(store: MvccStore, key: string, end = '', revision = 0): KeyValue[] {
  const { reader } = store;
  const at = reader.resolveRevision(revision);
  return reader.select(key, end, at, 0).map((e) => KeyValue.decode(reader.fetch(e)));
}

/** `key=value(create,mod,version)` of each KeyValue. */
export function show(keyValues: readonly KeyValue[]): string[] {
  return keyValues.map(
    (kv) => `${keyText(kv.key)}=${kv.value}(${kv.createRevision},${kv.modRevision},${kv.version})`,
  );
}

/** Everything at a revision, as {@link show} prints it. */
export function stateAt(store: MvccStore, revision: number): string[] {
  return show(get(store, '\0', '\0', revision));
}
