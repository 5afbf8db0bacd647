import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why dist/ could not be built, empty if it was. */
    buildFailure: string;
  }
}

/**
 * Builds dist/ once before the tests. A build that fails fails those tests that start the program
 * (they go through `binaryPath`), and no others.
 */
export default async function setup(project: TestProject): Promise<void> {
  const script = fileURLToPath(new URL('../../scripts/build.js', import.meta.url));
  const failure = await promisify(execFile)(process.execPath, [script, '--no-types']).then(
    () => '',
    (error: Error) => error.message,
  );
  project.provide('buildFailure', failure);
}
