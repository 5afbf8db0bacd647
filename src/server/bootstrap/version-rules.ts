import { ETCD_VERSION } from '../../base/version.js';
import {
  clusterVersionRefusal,
  compareReleases,
  parseRelease,
} from '../membership/cluster-version.js';

/** What a backend tells of the releases that wrote it. What is no version says nothing. */
export interface StoredVersions {
  /** `meta/storageVersion`; none before 3.6. */
  readonly storage: string | undefined;
  /** `cluster/clusterVersion`; none until the members agreed on one. */
  readonly cluster: string | undefined;
}

/** Data that a newer release wrote, and that this one must not touch. */
export class VersionError extends Error {
  override readonly name = 'VersionError';
}

/**
 * Sees that the data are of no newer release than this one (reference: formats 4.5, raft B7).
 * @throws VersionError with etcd's text
 */
export function requireSupportedVersions({ storage, cluster }: StoredVersions): void {
  const own = parseRelease(ETCD_VERSION);
  const stored = parseRelease(storage);
  if (own === undefined) throw new Error(`not a version: ${ETCD_VERSION}`);
  if (stored !== undefined && stored.major !== own.major) {
    throw new VersionError('changing major storage version is not supported');
  }
  if (stored !== undefined && compareReleases(stored, own) > 0) {
    throw new VersionError(`version "${stored.major}.${stored.minor}.0" is not supported`);
  }
  const refusal = clusterVersionRefusal(cluster);
  if (refusal !== undefined) throw new VersionError(refusal);
}
