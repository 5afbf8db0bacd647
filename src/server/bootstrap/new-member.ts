import { quoteGo } from '../../base/go-format.js';
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
 * Works out the identity of a member that starts a new cluster (reference: server 2.2).
 * @throws Error with etcd's text for a contradiction, or a clear one for what is not supported
 */
export function planNewMember(initial: InitialCluster): NewMember {
  if (initial.state === 'existing') {
    throw new Error('joining an existing cluster is not supported yet');
  }
  if (initial.peerUrls.size > 1 && initial.peerUrls.has(initial.name)) {
    throw new Error('clusters of more than one member are not supported yet');
  }
  return planCluster(initial);
}

/**
 * The identities of the members of a new cluster, whoever is going to serve it (reference: raft B5).
 * @throws Error with etcd's text for a contradiction
 */
export function planCluster(initial: Omit<InitialCluster, 'state'>): NewMember {
  const own = initial.peerUrls.get(initial.name);
  if (own === undefined) {
    throw new Error(
      `couldn't find local name ${quoteGo(initial.name)} in the initial cluster configuration`,
    );
  }
  requireSameUrls(initial, own);
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

function requireUniqueUrls(peerUrls: InitialCluster['peerUrls']): void {
  const urls = [...peerUrls.values()].flat();
  if (new Set(urls).size === urls.length) return;
  throw new Error(`initial cluster ${clusterText(peerUrls)} has duplicate url`);
}

/** URLs are compared as texts, where etcd would also look up their host names. */
function requireSameUrls(
  { name, advertisedPeerUrls }: Pick<InitialCluster, 'name' | 'advertisedPeerUrls'>,
  own: readonly string[],
): void {
  const missing = own.filter((url) => !advertisedPeerUrls.includes(url));
  const advertised = [...advertisedPeerUrls].sort().join(',');
  if (missing.length > 0) {
    const names = missing.map((url) => `${name}=${url}`).join(',');
    throw new Error(
      `--initial-cluster has ${names} but missing from --initial-advertise-peer-urls=${advertised} (${differenceText(own, advertisedPeerUrls)})`,
    );
  }
  const extra = advertisedPeerUrls.filter((url) => !own.includes(url));
  if (extra.length > 0) {
    // Trap: etcd shows the advertised URLs here as if they were the initial cluster.
    const shown = clusterText(new Map([[name, advertisedPeerUrls]]));
    throw new Error(
      `--initial-advertise-peer-urls has ${extra.join(',')} but missing from --initial-cluster=${shown}`,
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

function clusterText(peerUrls: InitialCluster['peerUrls']): string {
  const parts = [...peerUrls].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  return parts.sort().join(',');
}
