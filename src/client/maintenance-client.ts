import type {
  AlarmMember,
  AlarmRequest,
  AlarmResponse,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeResponse,
  HashKVResponse,
  HashResponse,
  MoveLeaderResponse,
  SnapshotResponse,
  StatusResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import { AlarmRequest_AlarmAction, AlarmType } from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import type { Caller, CallOptions } from './caller.js';

const { maintenance } = SERVICES;

/**
 * etcdserverpb.Maintenance. Status, hashes and defragmentation are of the one member that answers,
 * so they are asked through a client with a single endpoint.
 */
export class MaintenanceClient {
  private readonly caller: Caller;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  status(options?: CallOptions): Promise<StatusResponse> {
    return this.caller.call(maintenance.status, {}, options);
  }

  alarm(request: Partial<AlarmRequest>, options?: CallOptions): Promise<AlarmResponse> {
    return this.caller.call(maintenance.alarm, request, options);
  }

  /** All raised alarms. */
  alarmList(options?: CallOptions): Promise<AlarmResponse> {
    const request = { action: AlarmRequest_AlarmAction.GET, alarm: AlarmType.NONE };
    return this.alarm(request, options);
  }

  /** Disarms every raised alarm; the answer lists them and has no header (reference: cli 5.5). */
  async alarmDisarmAll(options?: CallOptions): Promise<AlarmResponse> {
    const raised = await this.alarmList(options);
    const alarms: AlarmMember[] = [];
    for (const { memberID, alarm } of raised.alarms) {
      const action = AlarmRequest_AlarmAction.DEACTIVATE;
      const answer = await this.alarm({ action, memberID, alarm }, options);
      alarms.push(...answer.alarms);
    }
    return { header: undefined, alarms };
  }

  defragment(options?: CallOptions): Promise<DefragmentResponse> {
    return this.caller.call(maintenance.defragment, {}, options);
  }

  hash(options?: CallOptions): Promise<HashResponse> {
    return this.caller.call(maintenance.hash, {}, options);
  }

  /** The hash of the keyspace up to `revision`, 0 for the current one. */
  hashKv(revision: number, options?: CallOptions): Promise<HashKVResponse> {
    return this.caller.call(maintenance.hashKV, { revision }, options);
  }

  /** The parts of a snapshot: the db file and 32 bytes of SHA-256 after it. */
  snapshot(options?: CallOptions): AsyncIterableIterator<SnapshotResponse> {
    return this.caller.serverStream(maintenance.snapshot, {}, options);
  }

  moveLeader(targetID: bigint, options?: CallOptions): Promise<MoveLeaderResponse> {
    return this.caller.call(maintenance.moveLeader, { targetID }, options);
  }

  downgrade(request: Partial<DowngradeRequest>, options?: CallOptions): Promise<DowngradeResponse> {
    return this.caller.call(maintenance.downgrade, request, options);
  }
}
