import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { MemoryStorage } from '../../../src/raft/memory-storage.js';
import { EMPTY_CONF_STATE, EntryType } from '../../../src/raft/types.js';
import { LogCompactor, MAX_KEPT_LOG_BYTES } from '../../../src/server/snapshots/log-compactor.js';

const CATCH_UP = 50;
/** All entries share their bytes. */
const DATA = Buffer.alloc(1024 * 1024);
const ENTRIES = MAX_KEPT_LOG_BYTES / DATA.length;

function setUp(needsLog: boolean) {
  const storage = new MemoryStorage();
  const compactor = new LogCompactor(
    {
      storage,
      logger: silentLogger,
      catchUpEntries: CATCH_UP,
      needsLog: () => needsLog,
      confState: () => EMPTY_CONF_STATE,
    },
    0,
  );
  const apply = (count: number): void => {
    for (let entry = 0; entry < count; entry++) {
      const index = storage.lastIndex() + 1;
      storage.append([{ type: EntryType.Normal, term: 1, index, data: DATA }]);
      compactor.onApplied(index);
    }
  };
  return { storage, apply };
}

describe('the log in memory', () => {
  it('is cut every hundred entries behind those that members may lag', () => {
    const { storage, apply } = setUp(false);
    apply(100);
    expect(storage.firstIndex()).toBe(1);
    apply(1);
    expect(storage.firstIndex()).toBe(101 - CATCH_UP + 1);
    apply(101);
    expect(storage.firstIndex()).toBe(202 - CATCH_UP + 1);
    expect(storage.snapshot().index).toBe(202);
  });

  it('is kept for a member that gets a snapshot, as far as the memory allows', () => {
    const { storage, apply } = setUp(true);
    apply(ENTRIES);
    expect(storage.firstIndex()).toBe(1);
    apply(200);
    expect(storage.firstIndex()).toBeGreaterThan(1);
    const first = storage.firstIndex();
    apply(ENTRIES / 2);
    expect(storage.firstIndex()).toBe(first);
    expect(storage.bytes).toBeLessThan(MAX_KEPT_LOG_BYTES);
  });
});
