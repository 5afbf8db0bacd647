import type { Logger } from '../base/logger.js';
import type { Clock } from '../platform/clock.js';
import { isEtcdError } from '../proto/errors.js';
import type { LocalMember } from './local-member.js';
import { attributesEntry, type MemberAttributes } from './membership/entry-form.js';
import { formatId } from './membership/member.js';
import { VersionMonitor } from './version-monitor.js';

/** Time before a proposal of the start that was refused or timed out is made again, ms. */
const RETRY_MILLIS = 100;
/** Time between two looks whether the log has come to the entry that added this member, ms. */
const MEMBER_POLL_MILLIS = 10;

/**
 * Makes a started member known through the log, and gives the cluster its version. A member is
 * ready to serve when this resolves (reference: server 2.1, step 8).
 * @throws EtcdError Stopped if the member stops first
 */
export async function publish(
  member: LocalMember,
  attributes: MemberAttributes,
  logger: Logger,
  versions: VersionMonitor = new VersionMonitor({ member, logger, downgradeCheckMillis: 0 }),
): Promise<void> {
  const { clock } = member;
  // Trap: after a crash the log may hold so much that is not applied yet that proposals are refused
  // or time out. A start that gave up then would give up again and again.
  await untilDone(
    () => publishAttributes(member, attributes, versions),
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
    () => versions.update(),
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
  versions: VersionMonitor,
): Promise<void> {
  await untilMember(member);
  const { localMemberId } = member.cluster;
  const form = await versions.entryForm();
  const memberAttributes = { name, clientUrls: [...clientUrls] };
  await member.proposeEntry<'clusterMemberAttrSet'>(
    { memberID: localMemberId, memberAttributes },
    (id) => attributesEntry(form, id, localMemberId, memberAttributes),
  );
}

/**
 * Waits until there is a leader and the log has told this member that it belongs to the cluster.
 * Trap: one that joins knows none of the others before, and would take them for members of any
 * release; a 3.4 among them ends with a panic on what it then writes.
 */
async function untilMember(member: LocalMember): Promise<void> {
  const { clock, cluster } = member;
  for (;;) {
    await member.whenLeader();
    if (cluster.member(cluster.localMemberId) !== undefined) return;
    await new Promise<void>((resolve) => clock.setTimer(MEMBER_POLL_MILLIS, resolve));
  }
}
