import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

/** The path of a program in bin/, built from the current sources. */
export function binaryPath(name: 'etcdkit' | 'etcd' | 'etcdctl' | 'etcdutl'): string {
  const failure = inject('buildFailure');
  if (failure !== '') throw new Error(`the program could not be built: ${failure}`);
  return fileURLToPath(new URL(`../../bin/${name}.js`, import.meta.url));
}
