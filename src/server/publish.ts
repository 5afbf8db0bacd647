import type { Logger } from '../base/logger.js';
import { API_VERSION } from '../base/version.js';
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
} from '../proto/gen/membershippb/membership.js';
import type { LocalMember } from './local-member.js';
import { formatId } from './membership/member.js';

/** What a member tells the others of itself. */
export interface MemberAttributes {
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** The cluster version that servers of this release agree on when they are among themselves. */
const OWN_CLUSTER_VERSION = `${API_VERSION}.0`;

/**
 * Makes a started member known through the log, and gives the cluster its version. A member is
 * ready to serve when this resolves (reference: server 2.1, step 8).
 * @throws EtcdError Stopped if the member stops first
 */
export async function publish(
  member: LocalMember,
  attributes: MemberAttributes,
  logger: Logger,
): Promise<void> {
  await member.whenLeader();
  await publishAttributes(member, attributes);
  logger.info('published local member to cluster through raft', {
    'local-member-id': formatId(member.cluster.localMemberId),
    'local-member-attributes': `{Name:${attributes.name} ClientURLs:[${attributes.clientUrls.join(' ')}]}`,
    'cluster-id': formatId(member.cluster.id),
    'publish-timeout': `${member.requestTimeoutMillis / 1000}s`,
  });
  await agreeOnVersion(member, logger);
}

async function publishAttributes(
  member: LocalMember,
  { name, clientUrls }: MemberAttributes,
): Promise<void> {
  const request: ClusterMemberAttrSetRequest = {
    memberID: member.cluster.localMemberId,
    memberAttributes: { name, clientUrls: [...clientUrls] },
  };
  const payload = ClusterMemberAttrSetRequest.encode(request).finish();
  await member.propose('clusterMemberAttrSet', request, payload);
}

async function agreeOnVersion(member: LocalMember, logger: Logger): Promise<void> {
  const { version } = member.cluster;
  if (!member.isLeader || version === OWN_CLUSTER_VERSION) return;
  const field = { 'cluster-version': API_VERSION };
  if (version === undefined) {
    logger.info('setting up initial cluster version using v3 API', field);
  }
  const request: ClusterVersionSetRequest = { ver: OWN_CLUSTER_VERSION };
  const payload = ClusterVersionSetRequest.encode(request).finish();
  await member.propose('clusterVersionSet', request, payload);
  logger.info(
    version === undefined ? 'set initial cluster version' : 'updated cluster version',
    field,
  );
  logger.info('enabled capabilities for version', field);
}
