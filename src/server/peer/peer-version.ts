/** Major and minor version of a member. */
export interface MinorVersion {
  readonly major: number;
  readonly minor: number;
}

/** Oldest cluster that this release can be a member of. */
export const MIN_CLUSTER_VERSION = '3.0.0';

/** What a member that tells no version counts as. */
const UNTOLD = '2.0.0';

/** The first releases whose members know the streams that we speak. */
const STREAMS_SINCE: MinorVersion = { major: 2, minor: 1 };

/** A strict semantic version; undefined: it is none. */
export function parseVersion(text: string | undefined): MinorVersion | undefined {
  const match = /^(\d+)\.(\d+)\.\d+(?:-[\w.-]*)?(?:\+[\w.-]*)?$/.exec(text || UNTOLD);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** Below 0 if `a` is older than `b`; patches don't count. */
export function compareVersions(a: MinorVersion, b: MinorVersion): number {
  return a.major === b.major ? a.minor - b.minor : a.major - b.major;
}

/** Whether members of that version serve streams. */
export function servesStreams(version: MinorVersion): boolean {
  return compareVersions(version, STREAMS_SINCE) >= 0;
}

/**
 * Whether this member can talk to one of version `remote`, which accepts clusters from
 * `remoteMinCluster` on (reference: raft-and-peers B1).
 */
export function areCompatible(
  local: MinorVersion,
  remote: MinorVersion,
  remoteMinCluster: MinorVersion,
): boolean {
  const minCluster = parseVersion(MIN_CLUSTER_VERSION);
  return (
    minCluster !== undefined &&
    compareVersions(remote, minCluster) >= 0 &&
    compareVersions(remoteMinCluster, local) <= 0
  );
}
