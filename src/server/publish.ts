import type { Logger } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import type { Clock } from '../platform/clock.js';
import { isEtcdError } from '../proto/errors.js';
import type { LocalMember } from './local-member.js';
import { nextClusterVersion } from './membership/cluster-version.js';
import {
  attributesEntry,
  type EntryForm,
  entryForm,
  type MemberAttributes,
  versionEntry,
} from './membership/entry-form.js';
import { formatId } from './membership/member.js';

/** Time before a proposal of the start that was refused or timed out is made again, ms. */
const RETRY_MILLIS = 100;
/** How long a peer may take to tell its version, ms. */
const VERSION_TIMEOUT_MILLIS = 1000;

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
  await whenMember(member);
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
    () => updateClusterVersion(member, logger),
    clock,
    (error) => logger.warn('failed to update cluster version', { error: String(error) }),
  );
}

/**
 * Waits until the log has told of this member, and so of the others. Trap: who joins does not know
 * before whether there is a 3.4 among them, which would die of a form that it can't read.
 * @throws EtcdError Stopped
 */
async function whenMember(member: LocalMember): Promise<void> {
  while (member.cluster.localMember === undefined) {
    await member.whenLeader();
    await new Promise<void>((resolve) => member.clock.setTimer(RETRY_MILLIS, resolve));
  }
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
  const { localMemberId } = member.cluster;
  const form = await formFor(member);
  const memberAttributes = { name, clientUrls: [...clientUrls] };
  await member.proposeEntry<'clusterMemberAttrSet'>(
    { memberID: localMemberId, memberAttributes },
    (id) => attributesEntry(form, id, localMemberId, memberAttributes),
  );
}

/**
 * Gives the cluster the version of its oldest member, if this member leads and that is a later one
 * than the cluster runs.
 * @throws EtcdError of a proposal
 */
export async function updateClusterVersion(member: LocalMember, logger: Logger): Promise<void> {
  if (!member.isLeader) return;
  const { version } = member.cluster;
  const peers = await peerReleases(member);
  const next = nextClusterVersion(version, [ETCD_VERSION, ...peers]);
  if (next === undefined) return;
  const field = { 'cluster-version': next.replace(/\.0$/, '') };
  if (version === undefined) {
    logger.info('setting up initial cluster version using v3 API', field);
  }
  const form = entryForm(version, peers);
  await member.proposeEntry<'clusterVersionSet'>({ ver: next }, (id) =>
    versionEntry(form, id, next),
  );
  logger.info(
    version === undefined ? 'set initial cluster version' : 'updated cluster version',
    field,
  );
  logger.info('enabled capabilities for version', field);
}

/** Asks the others only where the version of the cluster leaves a choice. */
async function formFor(member: LocalMember): Promise<EntryForm> {
  const { version } = member.cluster;
  return member.cluster.isAtLeast(3, 5) ? 'v3' : entryForm(version, await peerReleases(member));
}

/** The releases of the other members; undefined for one that did not tell it in time. */
async function peerReleases({ cluster, calls }: LocalMember): Promise<(string | undefined)[]> {
  const peers = cluster.members().filter(({ id }) => id !== cluster.localMemberId);
  return Promise.all(
    peers.map(async ({ peerUrls }) => {
      try {
        return (await calls.version(peerUrls, VERSION_TIMEOUT_MILLIS)).server;
      } catch {
        // Being away is an answer too: the cluster version stays where it is.
        return undefined;
      }
    }),
  );
}
