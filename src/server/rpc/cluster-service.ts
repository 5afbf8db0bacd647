import type { Member as WireMember } from '../../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../proto/services.js';
import type { LocalMember } from '../local-member.js';
import type { Member } from '../membership/member.js';
import type { Callers } from './callers.js';
import { missingMethod, unaryMethod } from './methods.js';
import type { RpcMethod } from './transport.js';

/** etcdserverpb.Cluster. Its headers carry no revision (reference: api 6). */
export function clusterService(member: LocalMember, callers: Callers): RpcMethod[] {
  const { cluster: definitions } = SERVICES;
  const changes = [
    definitions.memberAdd,
    definitions.memberRemove,
    definitions.memberUpdate,
    definitions.memberPromote,
  ];
  return [
    unaryMethod(definitions.memberList, async ({ linearizable }, context) => {
      await callers.known(context);
      if (linearizable) await member.linearizableRead();
      return {
        header: member.header(0),
        members: member.cluster.members().map(wireMember),
      };
    }),
    ...changes.map(({ path }) => missingMethod(path, 'changing the members of the cluster')),
  ];
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
