import { AlarmMember, AlarmType } from '../../proto/gen/etcdserverpb/rpc.js';
import type { Backend } from '../../storage/backend/backend.js';

const NO_VALUE = Buffer.alloc(0);

/**
 * The alarms in force, replicated and stored in the bucket `alarm`. Nothing clears an alarm but a
 * request. Source: reference, semantics 4.3.
 */
export class AlarmStore {
  readonly #backend: Backend;
  /** By row key: the encoded alarm as Latin-1 text. */
  readonly #alarms = new Map<string, AlarmMember>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  restore(): void {
    this.#alarms.clear();
    for (const [key] of this.#backend.range('alarm', Buffer.alloc(0))) {
      this.#alarms.set(key.toString('latin1'), AlarmMember.decode(key));
    }
  }

  /** The alarms of one type, or all of them for NONE, in the order of their rows. */
  list(type: AlarmType): AlarmMember[] {
    const rows = [...this.#alarms].sort(([a], [b]) => (a < b ? -1 : 1));
    return rows
      .map(([, alarm]) => alarm)
      .filter(({ alarm }) => type === AlarmType.NONE || alarm === type);
  }

  has(type: AlarmType): boolean {
    for (const { alarm } of this.#alarms.values()) if (alarm === type) return true;
    return false;
  }

  /** Raises an alarm; one that is up already stays as it is. */
  activate(memberId: bigint, type: AlarmType): AlarmMember {
    const alarm: AlarmMember = { memberID: memberId, alarm: type };
    const key = AlarmMember.encode(alarm).finish();
    this.#alarms.set(key.toString('latin1'), alarm);
    this.#backend.put('alarm', key, NO_VALUE);
    return alarm;
  }

  /** Takes an alarm back; undefined if it was not up. */
  deactivate(memberId: bigint, type: AlarmType): AlarmMember | undefined {
    const alarm: AlarmMember = { memberID: memberId, alarm: type };
    const key = AlarmMember.encode(alarm).finish();
    if (!this.#alarms.delete(key.toString('latin1'))) return undefined;
    this.#backend.delete('alarm', key);
    return alarm;
  }
}
