/** A process that takes the lock of a directory, tells how it went, and stays until it is left alone. */

import { acquireDirectoryLock } from '../../src/platform/directory-lock.js';

setInterval(() => {}, 1000);
process.on('disconnect', () => process.exit());
acquireDirectoryLock(process.argv[2] ?? '').then(
  () => process.send?.('locked'),
  (error: Error) => process.send?.(error.name),
);
