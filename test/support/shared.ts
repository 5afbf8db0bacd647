import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = process.env.ETCDKIT_SHARED ?? resolve(import.meta.dirname, '../../../shared');

/**
 * The path of a file or directory of the shared test data (fixtures of real servers, Raft cases,
 * references), or undefined if it is not on this machine; a suite that needs it then skips itself
 * with `describe.skipIf`. Where `CI` is set its absence is an error instead.
 */
export function sharedPath(...parts: string[]): string | undefined {
  const path = join(root, ...parts);
  if (existsSync(path)) return path;
  if (process.env.CI) throw new Error(`shared test data is missing: ${path}`);
  return undefined;
}
