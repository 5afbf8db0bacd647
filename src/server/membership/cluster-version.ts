import { ETCD_VERSION } from '../../base/version.js';

/** A release as `major.minor.patch` says it, without the patch. */
export interface Release {
  readonly major: number;
  readonly minor: number;
}

/** The cluster version as long as a member could not be asked for its own. */
export const LOWEST_CLUSTER_VERSION = '3.0.0';

/** Major and minor version of a text like `3.4.23`; undefined for anything else. */
export function parseRelease(version: string | undefined): Release | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.\d+(?:[-+].*)?$/.exec(version ?? '');
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** Negative if `left` is the older release. */
export function compareReleases(left: Release, right: Release): number {
  return left.major - right.major || left.minor - right.minor;
}

/** `major.minor.0`. */
export function versionText({ major, minor }: Release): string {
  return `${major}.${minor}.0`;
}

/** The cluster can't go to the version that a downgrade names. */
export class DowngradeTargetError extends Error {
  override readonly name = 'DowngradeTargetError';

  constructor() {
    super('invalid downgrade target');
  }
}

/**
 * The version that the cluster should run, if that is another than it runs: the lowest of its
 * members, raised only when all are known to be above; while a downgrade is enabled its target
 * (reference: semantics 9).
 * @param current undefined as long as it has none
 * @param members the release of each member; undefined for one that could not be asked
 * @param target of the downgrade, if one is enabled
 * @throws DowngradeTargetError if that is not one minor version below the cluster's and the lowest
 */
export function nextClusterVersion(
  current: string | undefined,
  members: readonly (string | undefined)[],
  target?: string,
): string | undefined {
  const releases = members.map(parseRelease);
  const known = releases.filter((release) => release !== undefined);
  const [lowest] = known.sort(compareReleases);
  const isComplete = lowest !== undefined && known.length === members.length;
  if (current === undefined) return isComplete ? versionText(lowest) : LOWEST_CLUSTER_VERSION;
  const running = parseRelease(current);
  if (!isComplete || running === undefined) return undefined;
  if (target !== undefined) return downgraded(running, lowest, target);
  // Trap: no cluster goes from one major version to the next by itself.
  const isRaised = lowest.major === running.major && lowest.minor > running.minor;
  return isRaised ? versionText(lowest) : undefined;
}

function downgraded(running: Release, lowest: Release, target: string): string | undefined {
  const release = parseRelease(target);
  if (release === undefined) throw new DowngradeTargetError();
  if (compareReleases(release, running) === 0) return undefined;
  if (!isOneBelow(release, running) || !isOneBelow(release, lowest)) {
    throw new DowngradeTargetError();
  }
  return versionText(release);
}

/** Whether a cluster may go down from `from` to `target`. */
export function isOneBelow(target: Release, from: Release): boolean {
  return target.major === from.major && target.minor === from.minor - 1;
}

/** Whether every member is known to be of the release that a downgrade leads to. */
export function isDowngraded(members: readonly (string | undefined)[], target: string): boolean {
  const release = parseRelease(target);
  if (release === undefined) return false;
  return members.every((version) => {
    const own = parseRelease(version);
    return own !== undefined && compareReleases(own, release) === 0;
  });
}

/**
 * Why this release must not serve under a cluster version: it is older (reference: raft B7).
 * @returns etcd's text; undefined if it may
 */
export function clusterVersionRefusal(clusterVersion: string | undefined): string | undefined {
  const own = parseRelease(ETCD_VERSION);
  const agreed = parseRelease(clusterVersion);
  if (own === undefined) throw new Error(`not a version: ${ETCD_VERSION}`);
  if (agreed === undefined || compareReleases(agreed, own) <= 0) return undefined;
  return `invalid downgrade; server version is lower than determined cluster version (current-server-version: ${ETCD_VERSION}, determined-cluster-version: ${agreed.major}.${agreed.minor})`;
}
