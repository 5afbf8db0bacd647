import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

/** The programs in bin/. */
export type Program =
  | 'etcdkit'
  | 'etcd'
  | 'etcdctl'
  | 'etcdutl'
  | 'etcd-dump-logs'
  | 'etcd-dump-db';

/** The path of a program in bin/, built from the current sources. */
export function binaryPath(name: Program): string {
  const failure = inject('buildFailure');
  if (failure !== '') throw new Error(`the program could not be built: ${failure}`);
  return fileURLToPath(new URL(`../../bin/${name}.js`, import.meta.url));
}
