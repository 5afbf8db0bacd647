import { Worker } from 'node:worker_threads';

/** Answers whether the file at `workerData` ends with the hash of what is before it. */
export const HASH_THREAD_PROGRAM = 'offline/hash-worker.js';
/** Below, the thread would take longer to start than the hash to compute, bytes. */
export const LEAST_BYTES = 32 * 1024 * 1024;

/**
 * Checks the hash at the end of a snapshot on another thread.
 * @param signal ends the thread
 * @returns true if it is right. False says nothing: that it is wrong, that there is none, that the
 *   file can't be read, that the thread was ended or could not start
 */
export function provesTrailingHash(
  program: URL,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const worker = new Worker(program, { workerData: path, name: 'snapshot-hash' });
    const stop = () => void worker.terminate();
    signal.addEventListener('abort', stop, { once: true });
    let isProved = false;
    worker.once('message', (answer: unknown) => {
      isProved = answer === true;
    });
    worker.once('error', () => resolve(false));
    worker.once('exit', () => {
      signal.removeEventListener('abort', stop);
      resolve(isProved);
    });
  });
}
