import { AlarmType } from '../../proto/gen/etcdserverpb/rpc.js';

const NAMES: ReadonlyMap<AlarmType, string> = new Map(
  Object.entries(AlarmType).map(([name, type]) => [type, name]),
);

/** The name of an alarm as etcd writes it; the number of one that it does not know. */
export function alarmName(alarm: AlarmType): string {
  return NAMES.get(alarm) ?? String(alarm);
}
