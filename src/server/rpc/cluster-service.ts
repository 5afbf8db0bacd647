import { etcdError } from '../../proto/errors.js';
import type { Member as WireMember } from '../../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../proto/services.js';
import { parseMemberUrl } from '../config/urls.js';
import type { LocalMember } from '../local-member.js';
import type { Member } from '../membership/member.js';
import type { MembershipAdmin } from '../membership/membership-admin.js';
import { type Callers, tokenOf } from './callers.js';
import { unaryMethod } from './methods.js';
import type { RpcMethod } from './transport.js';

export interface ClusterServiceOptions {
  readonly member: Pick<LocalMember, 'cluster' | 'header' | 'linearizableRead'>;
  readonly membership: MembershipAdmin;
  readonly callers: Callers;
}

/** etcdserverpb.Cluster. Its headers carry no revision (reference: api 6). */
export function clusterService(options: ClusterServiceOptions): RpcMethod[] {
  const { member, membership, callers } = options;
  const { cluster: definitions } = SERVICES;
  const answer = (members: readonly Member[]) => ({
    header: member.header(0),
    members: members.map(wireMember),
  });
  return [
    unaryMethod(definitions.memberList, async ({ linearizable }, context) => {
      await callers.known(context);
      if (linearizable) await member.linearizableRead();
      return answer(member.cluster.members());
    }),
    unaryMethod(definitions.memberAdd, async ({ peerURLs, isLearner }, context) => {
      // Trap: bad URLs are refused before anybody asks who calls.
      const peerUrls = urlTexts(peerURLs);
      await callers.admin(context);
      const added = await membership.add(peerUrls, isLearner);
      return { ...answer(added.members), member: wireMember(added.member) };
    }),
    unaryMethod(definitions.memberRemove, async ({ ID }, context) => {
      await callers.admin(context);
      return answer(await membership.remove(ID));
    }),
    unaryMethod(definitions.memberUpdate, async ({ ID, peerURLs }, context) => {
      await callers.admin(context);
      // Trap: unlike those of an addition, these URLs are taken as they are.
      return answer(await membership.update(ID, peerURLs));
    }),
    unaryMethod(definitions.memberPromote, async ({ ID }, context) => {
      await callers.admin(context);
      return answer(await membership.promote(ID, tokenOf(context), context.signal));
    }),
  ];
}

/** @throws EtcdError MemberBadURLs */
function urlTexts(urls: readonly string[]): string[] {
  if (urls.length === 0) throw etcdError('MemberBadURLs');
  try {
    return urls.map((url) => parseMemberUrl(url).text);
  } catch {
    throw etcdError('MemberBadURLs');
  }
}

function wireMember(member: Member): WireMember {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}
