import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { sharedPath } from './shared.js';

/**
 * Unpacks the data directory that a real etcd left when it was killed.
 * @param version as in `3.5.30`
 * @returns its path, below `directory`
 */
export function unpackRealEtcd(version: string, directory: string): string {
  const archive = sharedPath('fixtures', `v${version}.data-dir.tar.gz`);
  if (archive === undefined) throw new Error(`no data directory of etcd ${version} is recorded`);
  execFileSync('tar', ['-xzf', archive, '-C', directory]);
  return join(directory, 'data');
}
