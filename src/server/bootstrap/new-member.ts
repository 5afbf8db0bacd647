import { quoteGo } from '../../base/go-format.js';
import type { ClusterDiscovery } from '../config/cluster-discovery.js';
import { clusterId, memberId } from '../membership/identity.js';
import { encodeMember, type Member } from '../membership/member.js';

/** How the first members of a cluster are told to a new one. */
export interface InitialCluster {
  /** Name of this member. */
  readonly name: string;
  /** Peer URLs by member name. */
  readonly peerUrls: ReadonlyMap<string, readonly string[]>;
  /** Peer URLs that this member advertises. */
  readonly advertisedPeerUrls: readonly string[];
  readonly token: string;
  readonly state: 'new' | 'existing';
  /** Where the members are told, if not here. */
  readonly discovery?: ClusterDiscovery;
}

/** What a new member begins with. */
export interface NewMember {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** All first members by ascending id: entry i of every log must name the same one. */
  readonly peers: readonly FirstMember[];
}

/** A member that a cluster begins with. */
export interface FirstMember {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  /** The bytes that its addition to the log carries. */
  readonly context: Buffer;
}

/**
 * The identities of the members of a new cluster, whoever is going to serve it (reference: raft B5).
 * @throws Error with etcd's text for a contradiction
 */
export function planCluster(initial: Omit<InitialCluster, 'state'>): NewMember {
  requireSameUrls(initial, localUrls(initial));
  return identities(initial);
}

/**
 * The peer URLs of this member, as the initial cluster has them.
 * @throws Error with etcd's text if it has none
 */
export function localUrls({
  name,
  peerUrls,
}: Pick<InitialCluster, 'name' | 'peerUrls'>): readonly string[] {
  const own = peerUrls.get(name);
  if (own !== undefined) return own;
  throw new Error(`couldn't find local name ${quoteGo(name)} in the initial cluster configuration`);
}

/**
 * As {@link planCluster}, without a look at the URLs that this member advertises.
 * @throws Error with etcd's text for a contradiction
 */
export function identities(
  initial: Omit<InitialCluster, 'state' | 'advertisedPeerUrls'>,
): NewMember {
  const own = localUrls(initial);
  requireUniqueUrls(initial.peerUrls);
  const members = [...initial.peerUrls].map(([name, peerUrls]): Member => {
    const id = memberId(peerUrls, initial.token);
    return { id, name, peerUrls: [...peerUrls].sort(), isLearner: false, clientUrls: [] };
  });
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  const ids = members.map(({ id }) => id);
  return {
    memberId: memberId(own, initial.token),
    clusterId: clusterId(ids),
    peers: members.map((member) => ({
      id: member.id,
      peerUrls: member.peerUrls,
      context: Buffer.from(encodeMember(member)),
    })),
  };
}

/** @throws Error with etcd's text if a URL stands there twice */
export function requireUniqueUrls(peerUrls: InitialCluster['peerUrls']): void {
  const urls = [...peerUrls.values()].flat();
  if (new Set(urls).size === urls.length) return;
  throw new Error(`initial cluster ${clusterText(peerUrls)} has duplicate url`);
}

/**
 * Compares the URLs that this member advertises with those of the initial cluster, as texts.
 * @param difference why they differ, if that was looked into already
 * @throws Error with etcd's text if they are not the same
 */
export function requireSameUrls(
  { name, advertisedPeerUrls }: Pick<InitialCluster, 'name' | 'advertisedPeerUrls'>,
  own: readonly string[],
  difference = differenceText(own, advertisedPeerUrls),
): void {
  const missing = own.filter((url) => !advertisedPeerUrls.includes(url));
  const advertised = [...advertisedPeerUrls].sort().join(',');
  if (missing.length > 0) {
    const names = missing.map((url) => `${name}=${url}`).join(',');
    throw new Error(
      `--initial-cluster has ${names} but missing from --initial-advertise-peer-urls=${advertised} (${difference})`,
    );
  }
  // Trap: etcd shows the advertised URLs here as if they were the initial cluster.
  const shown = clusterText(new Map([[name, advertisedPeerUrls]]));
  const extra = advertisedPeerUrls.filter((url) => !own.includes(url));
  if (extra.length > 0) {
    throw new Error(
      `--initial-advertise-peer-urls has ${extra.join(',')} but missing from --initial-cluster=${shown}`,
    );
  }
  if (own.length !== advertisedPeerUrls.length) {
    throw new Error(
      `failed to resolve ${advertised} to match --initial-cluster=${shown} (${differenceText(own, advertisedPeerUrls)})`,
    );
  }
}

/** Why two lists of URLs differ, in Go's words. */
function differenceText(own: readonly string[], advertised: readonly string[]): string {
  const list = (urls: readonly string[]) => `[${[...urls].sort().map(quoteGo).join(' ')}]`;
  const isLength = own.length !== advertised.length;
  const of = (text: string) => (isLength ? `len(${text})` : text);
  return `${of(list(advertised))} != ${of(list(own))}`;
}

/** `name=url,name=url`, sorted, as etcd shows a cluster. */
export function clusterText(peerUrls: InitialCluster['peerUrls']): string {
  const parts = [...peerUrls].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  return parts.sort().join(',');
}
