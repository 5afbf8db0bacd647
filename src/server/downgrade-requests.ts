import type { Logger } from '../base/logger.js';
import { etcdError, GrpcCode, RpcError } from '../proto/errors.js';
import {
  DowngradeRequest_DowngradeAction as DowngradeAction,
  type DowngradeRequest,
} from '../proto/gen/etcdserverpb/rpc.js';
import { DowngradeInfoSetRequest } from '../proto/gen/membershippb/membership.js';
import type { LocalMember } from './local-member.js';
import { parseDowngradeTarget, refusalToDowngrade } from './membership/downgrade.js';

type DowngradableMember = Pick<LocalMember, 'cluster' | 'linearizableRead' | 'propose'>;

/**
 * Carries out what an operator asks about a downgrade of the cluster (reference: api 16).
 * @returns the cluster version, `major.minor`
 * @throws EtcdError WrongDowngradeVersionFormat, ClusterVersionUnavailable, NotCapable,
 *   InvalidDowngradeTargetVersion, DowngradeInProcess, or of a read or a proposal; RpcError for an
 *   unknown action
 */
export async function carryOutDowngrade(
  member: DowngradableMember,
  logger: Logger,
  { action, version }: DowngradeRequest,
): Promise<string> {
  switch (action) {
    case DowngradeAction.VALIDATE:
      await validated(member, version);
      return clusterVersion(member);
    case DowngradeAction.ENABLE:
      await enable(member, logger, version);
      return clusterVersion(member);
    case DowngradeAction.CANCEL:
      // Trap: the caller never learns that there was nothing to cancel.
      await cancel(member).catch((error: unknown) =>
        logger.error('failed to cancel downgrade', { error: textOf(error) }),
      );
      return clusterVersion(member);
    default:
      throw new RpcError(GrpcCode.Unknown, 'etcdserver: unknown method');
  }
}

/** @returns the target as `major.minor.0` */
async function validated(member: DowngradableMember, version: string): Promise<string> {
  const target = parseDowngradeTarget(version);
  await member.linearizableRead();
  const refusal = refusalToDowngrade(member.cluster, target);
  if (refusal !== undefined) throw etcdError(refusal);
  return target;
}

async function enable(member: DowngradableMember, logger: Logger, version: string): Promise<void> {
  let target: string;
  try {
    target = await validated(member, version);
  } catch (error) {
    logger.warn('reject downgrade request', { error: textOf(error) });
    throw error;
  }
  await propose(member, { enabled: true, ver: target });
}

async function cancel(member: DowngradableMember): Promise<void> {
  await member.linearizableRead();
  if (member.cluster.downgradeTarget === undefined) throw etcdError('NoInflightDowngrade');
  await propose(member, { enabled: false, ver: '' });
}

async function propose(
  member: DowngradableMember,
  request: DowngradeInfoSetRequest,
): Promise<void> {
  const payload = DowngradeInfoSetRequest.encode(request).finish();
  await member.propose('downgradeInfoSet', request, payload);
}

function clusterVersion({ cluster }: DowngradableMember): string {
  return (cluster.version ?? '').replace(/\.\d+$/, '');
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
