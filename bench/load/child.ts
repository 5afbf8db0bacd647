/** The load process: receives one job from its parent, carries it out and answers. */
import { runCalls } from './calls.js';
import type { LoadJob, LoadResult } from './job.js';
import { runWatchers } from './watchers.js';

export type LoadAnswer = { readonly result: LoadResult } | { readonly error: string };

process.once('message', async (job: LoadJob) => {
  const answer = await carryOut(job);
  process.send?.(answer, () => process.exit());
});
process.once('disconnect', () => process.exit(1));

async function carryOut(job: LoadJob): Promise<LoadAnswer> {
  try {
    return { result: job.kind === 'calls' ? await runCalls(job) : await runWatchers(job) };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
