import { fork } from 'node:child_process';
import type { LoadAnswer } from './load/child.js';
import type { LoadJob, LoadResult } from './load/job.js';

/** Runs a job in a process of its own; throws if the load could not be generated at all. */
export function runLoad(loadProgram: string, job: LoadJob): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = fork(loadProgram, { stdio: 'inherit', execArgv: [] });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the load process ended early (${code})`)));
    child.once('message', (answer: LoadAnswer) => {
      if ('error' in answer) reject(new Error(answer.error));
      else resolve(answer.result);
    });
    child.send(job);
  });
}
