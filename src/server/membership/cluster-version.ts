/** A release as `major.minor.patch` says it, without the patch. */
interface Release {
  readonly major: number;
  readonly minor: number;
}

/** The cluster version as long as a member could not be asked for its own. */
const LOWEST_CLUSTER_VERSION = '3.0.0';

/** Major and minor version of a text like `3.4.23`; undefined for anything else. */
export function parseRelease(version: string | undefined): Release | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.\d+(?:[-+].*)?$/.exec(version ?? '');
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** Negative if `left` is the older release. */
export function compareReleases(left: Release, right: Release): number {
  return left.major - right.major || left.minor - right.minor;
}

/**
 * The version that the cluster should run, if that is another than it runs: the lowest of its
 * members, raised only when all are known to be above (reference: semantics 9).
 * @param current undefined as long as it has none
 * @param members the release of each member; undefined for one that could not be asked
 */
export function nextClusterVersion(
  current: string | undefined,
  members: readonly (string | undefined)[],
): string | undefined {
  const releases = members.map(parseRelease);
  const known = releases.filter((release) => release !== undefined);
  const [lowest] = known.sort(compareReleases);
  const isComplete = lowest !== undefined && known.length === members.length;
  if (current === undefined) return isComplete ? versionText(lowest) : LOWEST_CLUSTER_VERSION;
  const running = parseRelease(current);
  if (!isComplete || running === undefined) return undefined;
  return compareReleases(lowest, running) > 0 ? versionText(lowest) : undefined;
}

function versionText({ major, minor }: Release): string {
  return `${major}.${minor}.0`;
}
