import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { describeBackend } from './suite.js';

describeBackend('LmdbBackend', async () => {
  const directory = await makeTempDir();
  return {
    open: (options) => LmdbBackend.open({ ...options, directory: directory.path, noSync: true }),
    destroy: () => directory.remove(),
  };
});
