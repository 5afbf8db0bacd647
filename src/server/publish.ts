import type { Logger } from '../base/logger.js';
import { API_VERSION } from '../base/version.js';
import type { Clock } from '../platform/clock.js';
import { isEtcdError } from '../proto/errors.js';
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
/** Time before a proposal of the start that was refused or timed out is made again, ms. */
const RETRY_MILLIS = 100;

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
  const { clock } = member;
  // Trap: after a crash the log may hold so much that is not applied yet that proposals are refused
  // or time out. A start that gave up then would give up again and again.
  await untilDone(
    () => publishAttributes(member, attributes),
    clock,
    (error) =>
      logger.warn('failed to publish local member to cluster through raft', {
        'local-member-id': formatId(member.cluster.localMemberId),
        error: String(error),
      }),
  );
  logger.info('published local member to cluster through raft', {
    'local-member-id': formatId(member.cluster.localMemberId),
    'local-member-attributes': `{Name:${attributes.name} ClientURLs:[${attributes.clientUrls.join(' ')}]}`,
    'cluster-id': formatId(member.cluster.id),
    'publish-timeout': `${member.requestTimeoutMillis / 1000}s`,
  });
  await untilDone(
    () => agreeOnVersion(member, logger),
    clock,
    (error) => logger.warn('failed to update cluster version', { error: String(error) }),
  );
}

/** Repeats what fails until it works or the member stops. */
async function untilDone(
  attempt: () => Promise<void>,
  clock: Pick<Clock, 'setTimer'>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (isEtcdError(error, 'Stopped')) throw error;
      onFailure(error);
    }
    await new Promise<void>((resolve) => clock.setTimer(RETRY_MILLIS, resolve));
  }
}

async function publishAttributes(
  member: LocalMember,
  { name, clientUrls }: MemberAttributes,
): Promise<void> {
  await member.whenLeader();
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
