import { join } from 'node:path';
import { build } from 'esbuild';
import { makeTempDir } from './temp-dir.js';

/** A program for processes of their own. */
export interface ChildProgram {
  /** A script for Node. */
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes a program of a source file and all that it imports. */
export async function buildChildProgram(source: string): Promise<ChildProgram> {
  const directory = await makeTempDir();
  const path = join(directory.path, 'child.mjs');
  const lmdb = import.meta.resolve('lmdb');
  await build({
    entryPoints: [source],
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'esm',
    plugins: [
      {
        name: 'native-module',
        setup: (plugin) => {
          plugin.onResolve({ filter: /^lmdb$/ }, () => ({ path: lmdb, external: true }));
        },
      },
    ],
  });
  return { path, remove: () => directory.remove() };
}
