import { expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { FilePurger } from '../../src/server/file-purger.js';
import { snapshotDatabaseName } from '../../src/storage/snap/snapshot-file.js';

it('keeps the databases of snapshots that are still to be installed', async () => {
  const fs = new MemoryFs();
  await fs.makeDirectory('/snap');
  await fs.makeDirectory('/wal');
  for (const index of [80, 90, 110, 120]) {
    const path = `/snap/${snapshotDatabaseName(index)}`;
    await (await fs.open(path, { write: true, create: true })).close();
  }
  const purger = new FilePurger({
    fs,
    clock: nodeClock,
    logger: silentLogger,
    snapDirectory: '/snap',
    walDirectory: '/wal',
    maxSnapshots: 1,
    maxWals: 1,
    holdsSegment: () => true,
    appliedIndex: () => 100,
  });
  purger.start();
  await purger.stop();
  expect(await fs.readDirectory('/snap')).toEqual([110, 120].map(snapshotDatabaseName));
});
