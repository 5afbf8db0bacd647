import { formatId } from '../membership/member.js';
import type { BootstrapOptions, MemberPlan } from './bootstrap-options.js';
import { systemResolver } from './host-resolver.js';
import { joinExisting } from './join-existing.js';
import {
  clusterText,
  type InitialCluster,
  identities,
  localUrls,
  type NewMember,
  requireSameUrls,
} from './new-member.js';
import { fetchMembers, otherUrls } from './remote-members.js';
import { urlDifference } from './same-urls.js';
import { clusterFromDns } from './srv-discovery.js';
import { clusterFromDiscovery } from './v3-discovery.js';

/** How long each URL of the other members may take to name the members, ms. */
const BOOTSTRAPPED_TIMEOUT_MILLIS = 1000;

/**
 * Finds out who a member is that has no log yet, and with whom it begins (reference: server 2.2).
 * @throws Error with etcd's text; DiscoveryError if the discovery service refuses it
 */
export async function planMember(
  initial: InitialCluster,
  options: BootstrapOptions,
): Promise<MemberPlan> {
  const found = await lookUpCluster(initial, options);
  if (found.state === 'existing') {
    if (found.discovery?.kind === 'service') {
      localUrls(found);
      throw new Error('discovery URL should not be set when joining existing initial cluster');
    }
    return joinExisting(found, options);
  }
  return { ...(await planNew(found, options)), remotes: [] };
}

/** The initial cluster with the members that discovery tells, or those that are known before it. */
async function lookUpCluster(
  initial: InitialCluster,
  options: BootstrapOptions,
): Promise<InitialCluster> {
  const { discovery, name, advertisedPeerUrls } = initial;
  if (discovery?.kind === 'dns') {
    return { ...initial, peerUrls: await clusterFromDns(initial, discovery, options) };
  }
  if (discovery?.kind === 'service') {
    // Trap: the ids are made of the discovery token, not of that of the cluster.
    const { token } = discovery;
    return { ...initial, token, peerUrls: new Map([[name, advertisedPeerUrls]]) };
  }
  return initial;
}

async function planNew(initial: InitialCluster, options: BootstrapOptions): Promise<NewMember> {
  await requireAdvertised(initial, options);
  const plan = identities(initial);
  if (await isBootstrapped(initial, plan.memberId, options)) {
    throw new Error(`member ${formatId(plan.memberId)} has already been bootstrapped`);
  }
  if (initial.discovery?.kind !== 'service') return plan;
  const peerUrls = await clusterFromDiscovery(initial.discovery, options, {
    id: formatId(plan.memberId),
    text: clusterText(initial.peerUrls),
  });
  return identities({ ...initial, peerUrls });
}

async function requireAdvertised(
  initial: InitialCluster,
  { clock, resolver = systemResolver }: BootstrapOptions,
): Promise<void> {
  const own = localUrls(initial);
  const { advertisedPeerUrls } = initial;
  const difference = await urlDifference(advertisedPeerUrls, own, { clock, resolver });
  if (difference === undefined) return;
  requireSameUrls(initial, own, difference);
  const shown = clusterText(new Map([[initial.name, advertisedPeerUrls]]));
  throw new Error(
    `failed to resolve ${[...advertisedPeerUrls].sort().join(',')} to match --initial-cluster=${shown} (${difference})`,
  );
}

/** A member that lost its log must not vote again: the others know that it has run before. */
async function isBootstrapped(
  { peerUrls, name }: InitialCluster,
  id: bigint,
  options: BootstrapOptions,
): Promise<boolean> {
  const urls = otherUrls(peerUrls, name);
  if (urls.length === 0) return false;
  try {
    const { members } = await fetchMembers(options, urls, BOOTSTRAPPED_TIMEOUT_MILLIS);
    return members.some((member) => member.id === id && member.clientUrls.length > 0);
  } catch {
    // Nobody runs yet: that is how a new cluster begins.
    return false;
  }
}
