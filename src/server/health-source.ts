import { AlarmType } from '../proto/gen/etcdserverpb/rpc.js';
import type { HealthSource } from './http/health.js';
import type { LocalMember } from './local-member.js';

const ALARM_NAMES: ReadonlyMap<AlarmType, string> = new Map([
  [AlarmType.NOSPACE, 'NOSPACE'],
  [AlarmType.CORRUPT, 'CORRUPT'],
]);

/** What the health endpoints ask a member. */
export function healthSource(member: LocalMember): HealthSource {
  return {
    activeAlarms: () =>
      member.alarms.list(AlarmType.NONE).map(({ alarm }) => ALARM_NAMES.get(alarm) ?? 'UNKNOWN'),
    hasLeader: () => member.leaderId !== 0n,
    isLearner: () => member.cluster.localMember?.isLearner === true,
    linearizableRead: () => member.linearizableRead(),
    async serializableRead() {
      member.store.reader.resolveRevision(0);
    },
  };
}
