import { silentLogger } from '../../../src/base/logger.js';
import type { Random } from '../../../src/platform/random.js';
import type { RaftConfig } from '../../../src/raft/config.js';
import type { MemoryStorage } from '../../../src/raft/memory-storage.js';

/** A random source that repeats: election timeouts come out as electionTick. */
export const zeroRandom: Random = {
  float: () => 0,
  integer: () => 0,
  bytes: (count) => Buffer.alloc(count),
};

/** A configuration as a member uses it, with asynchronous storage writes. */
export function memberConfig(
  id: bigint,
  storage: MemoryStorage,
  overrides: Partial<RaftConfig> = {},
): RaftConfig {
  return {
    id,
    storage,
    electionTick: 10,
    heartbeatTick: 1,
    random: zeroRandom,
    logger: silentLogger,
    asyncStorageWrites: true,
    maxSizePerMessage: 1024 * 1024,
    maxInflightMessages: 512,
    checkQuorum: true,
    preVote: true,
    ...overrides,
  };
}
