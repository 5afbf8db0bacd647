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
  /** All first members with the bytes that their addition to the log carries. */
  readonly peers: readonly { readonly id: bigint; readonly context: Buffer }[];
}

/**
 * Works out the identity of a member that starts a new cluster (reference: server 2.2).
 * @throws Error with etcd's text for a contradiction, or a clear one for what is not supported
 */
export function planNewMember(initial: InitialCluster): NewMember {
  const own = initial.peerUrls.get(initial.name);
  if (own === undefined) {
    throw new Error(
      `couldn't find local name ${quoteGo(initial.name)} in the initial cluster configuration`,
    );
  }
  if (initial.state === 'existing') {
    throw new Error('joining an existing cluster is not supported yet');
  }
  if (initial.peerUrls.size > 1) {
    throw new Error('clusters of more than one member are not supported yet');
  }
  requireSameUrls(initial, own);
  const members = [...initial.peerUrls].map(([name, peerUrls]): Member => {
    const id = memberId(peerUrls, initial.token);
    return { id, name, peerUrls: [...peerUrls].sort(), isLearner: false, clientUrls: [] };
  });
  const ids = members.map(({ id }) => id);
  return {
    memberId: memberId(own, initial.token),
    clusterId: clusterId(ids),
    peers: members.map((member) => ({
      id: member.id,
      context: Buffer.from(encodeMember(member)),
    })),
  };
}

function requireSameUrls(initial: InitialCluster, own: readonly string[]): void {
  const missing = own.find((url) => !initial.advertisedPeerUrls.includes(url));
  const advertised = initial.advertisedPeerUrls.join(',');
  if (missing !== undefined) {
    throw new Error(
      `--initial-cluster has ${initial.name}=${missing} but missing from --initial-advertise-peer-urls=${advertised}`,
    );
  }
  const extra = initial.advertisedPeerUrls.find((url) => !own.includes(url));
  if (extra !== undefined) {
    throw new Error(
      `--initial-advertise-peer-urls has ${extra} but missing from --initial-cluster=${own.map((url) => `${initial.name}=${url}`).join(',')}`,
    );
  }
}
