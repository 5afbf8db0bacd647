import type { Logger } from '../../base/logger.js';
import { ETCD_VERSION } from '../../base/version.js';
import { etcdError } from '../../proto/errors.js';
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../proto/services.js';
import { alarmName } from '../alarm/alarm-name.js';
import { carryOutDowngrade } from '../downgrade-requests.js';
import type { LocalMember } from '../local-member.js';
import type { Callers } from './callers.js';
import { serverStreamMethod, unaryMethod } from './methods.js';
import { sendSnapshot } from './snapshot-stream.js';
import type { RpcMethod } from './transport.js';

/** etcdserverpb.Maintenance (reference: api 16). */
export function maintenanceService(
  member: LocalMember,
  callers: Callers,
  logger: Logger,
): RpcMethod[] {
  const { maintenance: definitions } = SERVICES;
  return [
    unaryMethod(definitions.status, async (_request, context) => {
      await callers.known(context);
      return status(member);
    }),
    unaryMethod(definitions.alarm, async (request, context) => {
      const isQuestion = request.action === AlarmRequest_AlarmAction.GET;
      const caller = await (isQuestion ? callers.known(context) : callers.admin(context));
      // A GET goes through the log too: it sees every alarm that was acknowledged before it.
      const payload = AlarmRequest.encode(request).finish();
      const { alarms } = await member.propose('alarm', request, payload, caller);
      return { header: member.header(), alarms: [...alarms] };
    }),
    unaryMethod(definitions.defragment, async (_request, context) => {
      await callers.admin(context);
      await member.defragment();
      // Trap: no header at all.
      return { header: undefined };
    }),
    unaryMethod(definitions.hash, async (_request, context) => {
      await callers.admin(context);
      const header = member.header();
      return { header, hash: await member.store.hashBackend() };
    }),
    unaryMethod(definitions.hashKV, async ({ revision }, context) => {
      await callers.admin(context);
      const result = await member.store.hashKeyValues(revision);
      return {
        header: member.header(result.currentRevision),
        hash: result.hash,
        compactRevision: result.compactRevision,
        hashRevision: result.revision,
      };
    }),
    unaryMethod(definitions.moveLeader, async ({ targetID }, context) => {
      await callers.admin(context);
      member.requireLocalLeader();
      await member.transferLeadership(targetID);
      return { header: undefined };
    }),
    serverStreamMethod(definitions.snapshot, async (_request, stream) => {
      await callers.admin(stream.context);
      await sendSnapshot(member, stream);
    }),
    unaryMethod(definitions.downgrade, async (request, context) => {
      await callers.admin(context);
      const version = await carryOutDowngrade(member, logger, request);
      return { header: member.header(), version };
    }),
  ];
}

function status(member: LocalMember) {
  const size = member.backend.size();
  return {
    header: member.header(),
    version: ETCD_VERSION,
    dbSize: size.allocated,
    dbSizeInUse: size.inUse,
    dbSizeQuota: member.quota.bytes,
    leader: member.leaderId,
    raftIndex: member.committedIndex,
    raftAppliedIndex: member.appliedIndex,
    raftTerm: member.term,
    isLearner: member.isLearner,
    storageVersion: member.storageVersion,
    downgradeInfo: {
      enabled: member.cluster.downgradeTarget !== undefined,
      targetVersion: member.cluster.downgradeTarget ?? '',
    },
    errors: statusErrors(member),
  };
}

function statusErrors(member: LocalMember): string[] {
  const errors = member.alarms
    .list(AlarmType.NONE)
    .map(({ memberID, alarm }) => `memberID:${memberID} alarm:${alarmName(alarm)}`);
  if (member.leaderId === 0n) errors.unshift(etcdError('NoLeader').message);
  return errors;
}
