import type { Logger } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import type { Backend } from '../storage/backend/backend.js';
import type { Cluster } from './membership/cluster.js';
import {
  compareReleases,
  LOWEST_CLUSTER_VERSION,
  parseRelease,
} from './membership/cluster-version.js';

const STORAGE_VERSION_KEY = Buffer.from('storageVersion');
/** The first release that records the version. */
const FIRST_RECORDED = { major: 3, minor: 6 };

type FollowedCluster = Pick<Cluster, 'version' | 'downgradeTarget'>;

/** The version of the backend's schema, kept in its bucket `meta` (reference: formats 4.5). */
export class StorageVersion {
  readonly #backend: Backend;
  #version = '';

  constructor(backend: Backend) {
    this.#backend = backend;
    this.restore();
  }

  /** Reads anew what the backend holds. */
  restore(): void {
    this.#version = this.#backend.get('meta', STORAGE_VERSION_KEY)?.toString() ?? '';
  }

  /** `major.minor.0`, or empty as long as none was recorded. */
  get version(): string {
    return this.#version;
  }

  /**
   * Follows the cluster version once there is one, down too; data of 3.5 and older has none. Nothing
   * that this server logs or stores needs a later release than 3.6, so nothing has to be converted.
   * @returns whether the version is a lower one now: older releases must then be able to start from
   *   what is on disk
   */
  follow({ version, downgradeTarget }: FollowedCluster, logger: Logger): boolean {
    if (!this.#change(version)) return false;
    logger.info('Cluster version downgrade detected, forcing snapshot', {
      'new-cluster-version': version,
    });
    if (downgradeTarget === undefined) return true;
    logger.info('The server is ready to downgrade', {
      'cluster-version': version,
      'server-version': ETCD_VERSION,
    });
    return true;
  }

  #change(clusterVersion: string | undefined): boolean {
    if (clusterVersion === undefined || clusterVersion === LOWEST_CLUSTER_VERSION) return false;
    const version = isRecorded(clusterVersion) ? clusterVersion : '';
    if (version === this.#version) return false;
    const before = parseRelease(this.#version);
    this.#version = version;
    if (version === '') this.#backend.delete('meta', STORAGE_VERSION_KEY);
    else this.#backend.put('meta', STORAGE_VERSION_KEY, Buffer.from(version));
    const now = parseRelease(version);
    return before !== undefined && (now === undefined || compareReleases(now, before) < 0);
  }
}

function isRecorded(version: string): boolean {
  const release = parseRelease(version);
  return release !== undefined && compareReleases(release, FIRST_RECORDED) >= 0;
}
