import { ETCD_VERSION } from '../../base/version.js';
import { compareReleases, parseRelease } from '../membership/cluster-version.js';
import { formatId, type Member } from '../membership/member.js';
import type { PeerMembers } from '../peer/peer-calls.js';
import type { BootstrapOptions, MemberPlan } from './bootstrap-options.js';
import { systemResolver } from './host-resolver.js';
import { type InitialCluster, localUrls, requireUniqueUrls } from './new-member.js';
import { fetchMembers, otherUrls } from './remote-members.js';
import { urlDifference } from './same-urls.js';

/** How long a member may take to name the members of its cluster, ms. */
const MEMBERS_TIMEOUT_MILLIS = 10_000;
/**
 * How long a member may take to tell whether the cluster goes down, ms. It asks the leader first, and
 * a cluster of one that waits for its second member has none until that starts.
 */
const DOWNGRADE_TIMEOUT_MILLIS = 1000;
/** The oldest cluster that can be joined. */
const LOWEST_RELEASE = { major: 3, minor: 0 };

/**
 * Finds out who a member is that joins a running cluster: its id was made up by the member that
 * added it, so it is found by the peer URLs (reference: server 2.2, raft B5).
 * @throws Error with etcd's text
 */
export async function joinExisting(
  initial: InitialCluster,
  options: BootstrapOptions,
): Promise<MemberPlan> {
  const own = localUrls(initial);
  requireUniqueUrls(initial.peerUrls);
  const remote = await fetchMembers(
    options,
    otherUrls(initial.peerUrls, initial.name),
    MEMBERS_TIMEOUT_MILLIS,
  ).catch((error: Error) => {
    throw new Error(`cannot fetch cluster info from peer urls: ${error.message}`);
  });
  const local = await matchMembers(initial, own, remote, options).catch((error: Error) => {
    throw new Error(`error validating peerURLs ${membersText(remote)}: ${error.message}`);
  });
  const others = remote.members.filter(({ id }) => id !== local.id);
  if (!(await isCompatible(others, options))) {
    throw new Error('incompatible with current running cluster');
  }
  if (remote.members.filter(({ isLearner }) => isLearner).length > options.maxLearners) {
    throw new Error('membership: too many learner members in cluster');
  }
  return {
    memberId: local.id,
    clusterId: remote.clusterId,
    peers: [],
    remotes: remote.members,
  };
}

/**
 * Finds each member of the running cluster among those that the configuration names.
 * @returns the one that is this member
 * @throws Error with etcd's text if there is one that the configuration does not name
 */
async function matchMembers(
  initial: InitialCluster,
  own: readonly string[],
  remote: PeerMembers,
  { clock, resolver = systemResolver }: BootstrapOptions,
): Promise<Member> {
  const named = [...initial.peerUrls.values()];
  if (named.length !== remote.members.length) throw new Error('member count is unequal');
  let local: Member | undefined;
  for (const member of remote.members) {
    let difference: string | undefined;
    let match: readonly string[] | undefined;
    for (const urls of likeliestFirst(named, member.peerUrls)) {
      difference = await urlDifference(member.peerUrls, urls, { clock, resolver });
      if (difference !== undefined) continue;
      match = urls;
      break;
    }
    if (match === undefined) {
      throw new Error(
        `PeerURLs: no match found for existing member (${formatId(member.id)}, [${member.peerUrls.join(' ')}]), last resolver error (${difference})`,
      );
    }
    if (match === own) local = member;
  }
  if (local === undefined) throw new Error('the cluster has no member with the own peer URLs');
  return local;
}

/** What is the same as a text need not be looked up; a host that is unknown would take its time. */
function likeliestFirst(
  named: readonly (readonly string[])[],
  peerUrls: readonly string[],
): readonly (readonly string[])[] {
  const text = [...peerUrls].sort().join();
  const isSame = (urls: readonly string[]): boolean => [...urls].sort().join() === text;
  return [...named.filter(isSame), ...named.filter((urls) => !isSame(urls))];
}

/** A cluster as Go prints it. */
function membersText({ clusterId, members }: PeerMembers): string {
  const texts = members.map(
    ({ id, peerUrls, isLearner, name, clientUrls }) =>
      `&{ID:${formatId(id)} RaftAttributes:{PeerURLs:[${peerUrls.join(' ')}] IsLearner:${isLearner}} Attributes:{Name:${name} ClientURLs:[${clientUrls.join(' ')}]}}`,
  );
  return `{ClusterID:${formatId(clusterId)} Members:[${texts.join(' ')}] RemovedMemberIDs:[]}`;
}

/**
 * Whether this release may take part: a member must tell a cluster version that it can serve, and
 * none another. While the cluster is on its way down, it is only that of the release above.
 */
async function isCompatible(
  others: readonly Member[],
  options: BootstrapOptions,
): Promise<boolean> {
  const { version = ETCD_VERSION } = options;
  const own = parseRelease(version);
  if (own === undefined) throw new TypeError(`not a version: ${version}`);
  const { isDowngrading, versions } = await askVersions(others, options);
  const above = { major: own.major, minor: own.minor + 1 };
  const [lowest, highest] = isDowngrading ? [above, above] : [LOWEST_RELEASE, own];
  let isKnown = false;
  for (const { member, clusterVersion } of versions) {
    const release = parseRelease(clusterVersion);
    if (release === undefined) continue;
    if (compareReleases(release, lowest) < 0 || compareReleases(release, highest) > 0) {
      options.logger.warn('cluster version of remote member is not compatible', {
        'remote-member-id': formatId(member.id),
        'remote-member-cluster-version': clusterVersion,
        'minimum-cluster-version-supported': `${lowest.major}.${lowest.minor}.0`,
        'maximum-cluster-version-supported': `${highest.major}.${highest.minor}.0`,
      });
      return false;
    }
    isKnown = true;
  }
  return isKnown;
}

/** The cluster version as each member tells it, and whether one says that it goes down. */
async function askVersions(
  others: readonly Member[],
  { calls, logger, requestTimeoutMillis }: BootstrapOptions,
) {
  const answers = await Promise.all(
    others.map(async (member) => {
      const [version, isDowngrading] = await Promise.allSettled([
        calls.version(member.peerUrls, requestTimeoutMillis),
        calls.downgradeEnabled(member.peerUrls, DOWNGRADE_TIMEOUT_MILLIS),
      ]);
      if (version.status === 'rejected') {
        logger.warn('failed to get version of remote member', {
          'remote-member-id': formatId(member.id),
          error: String(version.reason),
        });
      }
      return {
        member,
        clusterVersion: version.status === 'fulfilled' ? version.value.cluster : undefined,
        // A member that has no leader to ask does not say that the cluster goes down.
        isDowngrading: isDowngrading.status === 'fulfilled' && isDowngrading.value,
      };
    }),
  );
  return { versions: answers, isDowngrading: answers.some((answer) => answer.isDowngrading) };
}
