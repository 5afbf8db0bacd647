/** The thread that {@link provesTrailingHash} starts. */
import { parentPort, workerData } from 'node:worker_threads';
import { nodeFs } from '../platform/node-fs.js';
import { hasTrailingHash, verifyTrailingHash } from './snapshot-checksum.js';

const path: string = workerData;
const size = (await nodeFs.stat(path))?.size ?? 0;
if (hasTrailingHash(size)) {
  await verifyTrailingHash(nodeFs, path);
  parentPort?.postMessage(true);
}
