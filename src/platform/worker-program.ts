import { existsSync } from 'node:fs';

/** Files of ours lie in the output folder, or up to two folders below it. */
const OUTPUT_FOLDERS = ['./', '../', '../../'];

/**
 * Finds the program of a worker thread in the build output.
 * @param path within the output folder
 * @returns undefined where there is none: in sources that run without a build
 */
export function workerProgram(path: string): URL | undefined {
  return OUTPUT_FOLDERS.map((folder) => new URL(`${folder}${path}`, import.meta.url)).find((file) =>
    existsSync(file),
  );
}
