import { quoteGo } from '../../base/go-format.js';
import type { WatchUpdate } from '../../client/watcher.js';
import type { SnapshotSummary } from '../../offline/snapshot-status.js';
import { Permission_Type } from '../../proto/gen/authpb/auth.js';
import {
  type AlarmResponse,
  AlarmType,
  type AuthRoleGetResponse,
  type AuthRoleListResponse,
  type DeleteRangeResponse,
  type LeaseGrantResponse,
  type LeaseKeepAliveResponse,
  type LeaseLeasesResponse,
  type LeaseTimeToLiveResponse,
  type MemberListResponse,
  type PutResponse,
  type RangeResponse,
  type ResponseHeader,
  type ResponseOp,
  type TxnResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { Event_EventType, type KeyValue } from '../../proto/gen/mvccpb/kv.js';
import { enumName, hexId, leaseId, lines } from './go-text.js';
import {
  type EndpointHashKv,
  type EndpointHealth,
  type EndpointStatus,
  type FileHashKv,
  Printer,
  type SplitOutput,
} from './printer.js';

type HasHeader = { readonly header: ResponseHeader | undefined };

/** Lines of the form `"Name" : value` (reference: cli 3.3). */
export class FieldsPrinter extends Printer {
  override readonly format = 'fields';
  private readonly hex: boolean;

  /** `hex`: cluster, member and lease ids in hexadecimal. */
  constructor(hex: boolean) {
    super();
    this.hex = hex;
  }

  override get(response: RangeResponse): Buffer {
    return lines(this.getLines(response));
  }

  override put(response: PutResponse): Buffer {
    return lines(this.putLines(response));
  }

  override deleteRange(response: DeleteRangeResponse): Buffer {
    return lines(this.deleteRangeLines(response));
  }

  override txn(response: TxnResponse): Buffer {
    return lines(this.txnLines(response));
  }

  override watch(update: WatchUpdate): Buffer {
    return lines([
      ...this.headerLines(update.header),
      ...update.events.flatMap((event) => [
        field('Type', enumName(Event_EventType, event.type)),
        ...this.keyValueLines('Prev', event.prevKv),
        ...this.keyValueLines('', event.kv),
      ]),
    ]);
  }

  override leaseGrant(response: LeaseGrantResponse): Buffer {
    return this.withHeader(response, [this.leaseField(response.ID), field('TTL', response.TTL)]);
  }

  override leaseRevoke(_id: bigint, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override leaseKeepAlive(response: LeaseKeepAliveResponse): Buffer {
    return this.withHeader(response, [this.leaseField(response.ID), field('TTL', response.TTL)]);
  }

  override leaseTimeToLive(response: LeaseTimeToLiveResponse): Buffer {
    return this.withHeader(response, [
      this.leaseField(response.ID),
      field('TTL', response.TTL),
      field('GrantedTTL', response.grantedTTL),
      ...response.keys.map((key) => field('Key', quoteGo(key))),
    ]);
  }

  override leaseList(response: LeaseLeasesResponse): Buffer {
    return this.withHeader(
      response,
      response.leases.map(({ ID }) => this.leaseField(ID)),
    );
  }

  override memberList(response: MemberListResponse): Buffer {
    return this.withHeader(
      response,
      response.members.flatMap((member) => [
        field('ID', this.id(member.ID)),
        field('Name', quoteGo(member.name)),
        ...member.peerURLs.map((url) => field('PeerURL', quoteGo(url))),
        ...member.clientURLs.map((url) => field('ClientURL', quoteGo(url))),
        field('IsLearner', member.isLearner),
        '',
      ]),
    );
  }

  override endpointHealth(entries: readonly EndpointHealth[]): SplitOutput {
    const stdout = lines(
      entries.flatMap((entry) => [
        field('Endpoint', quoteGo(entry.endpoint)),
        field('Health', entry.health),
        field('Took', entry.took),
        field('Error', entry.error),
        '',
      ]),
    );
    return { stdout, stderr: Buffer.alloc(0) };
  }

  override endpointStatus(entries: readonly EndpointStatus[]): Buffer {
    return lines(
      entries.flatMap(({ endpoint, status }) => [
        ...this.headerLines(status.header),
        field('Version', quoteGo(status.version)),
        field('StorageVersion', quoteGo(status.storageVersion)),
        field('DBSize', status.dbSize),
        field('DBSizeInUse', status.dbSizeInUse),
        field('DBSizeQuota', status.dbSizeQuota),
        field('Leader', status.leader),
        field('IsLearner', status.isLearner),
        field('RaftIndex', status.raftIndex),
        field('RaftTerm', status.raftTerm),
        field('RaftAppliedIndex', status.raftAppliedIndex),
        field('Errors', `[${status.errors.join(' ')}]`),
        field('Endpoint', quoteGo(endpoint)),
        field('DowngradeTargetVersion', quoteGo(status.downgradeInfo?.targetVersion ?? '')),
        field('DowngradeEnabled', status.downgradeInfo?.enabled ?? false),
        '',
      ]),
    );
  }

  override endpointHashKv(entries: readonly EndpointHashKv[]): Buffer {
    return lines(
      entries.flatMap(({ endpoint, hashKv }) => [
        ...this.headerLines(hashKv.header),
        field('Endpoint', quoteGo(endpoint)),
        field('Hash', hashKv.hash),
        field('HashRevision', hashKv.hashRevision),
        '',
      ]),
    );
  }

  override alarm(response: AlarmResponse): Buffer {
    return this.withHeader(
      response,
      response.alarms.flatMap(({ memberID, alarm }) => [
        field('MemberID', this.id(memberID)),
        field('AlarmType', enumName(AlarmType, alarm)),
        '',
      ]),
    );
  }

  override userAdd(_user: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override userDelete(_user: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override userChangePassword(response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override userGrantRole(_user: string, _role: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override userRevokeRole(_user: string, _role: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override roleAdd(_role: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override roleGet(_role: string, response: AuthRoleGetResponse): Buffer {
    return this.withHeader(
      response,
      response.perm.flatMap(({ permType, key, rangeEnd }) => [
        // Trap: two spaces in this line only (reference: cli 3.3).
        field('PermType', ` ${enumName(Permission_Type, permType)}`),
        field('Key', quoteGo(key)),
        field('RangeEnd', quoteGo(rangeEnd)),
      ]),
    );
  }

  override roleList(response: AuthRoleListResponse): Buffer {
    const roles = response.roles.map((role) => ` ${quoteGo(role)}`).join('');
    return this.withHeader(response, [`"Roles" :${roles}`]);
  }

  override roleDelete(_role: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override roleGrantPermission(_role: string, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override roleRevokePermission(_role: string, _range: unknown, response: HasHeader): Buffer {
    return this.withHeader(response);
  }

  override snapshotStatus(status: SnapshotSummary): Buffer {
    return lines([
      field('Hash', status.hash),
      field('Revision', status.revision),
      field('Keys', status.totalKey),
      field('Size', status.totalSize),
      ...(status.version === undefined ? [] : [field('Version', status.version)]),
    ]);
  }

  override fileHashKv(hash: FileHashKv): Buffer {
    return lines([
      field('Hash', hash.hash),
      field('Hash revision', hash.hashRevision),
      field('Compact revision', hash.compactRevision),
    ]);
  }

  private getLines(response: RangeResponse): string[] {
    return [
      ...this.headerLines(response.header),
      ...response.kvs.flatMap((keyValue) => this.keyValueLines('', keyValue)),
      field('More', response.more),
      field('Count', response.count),
    ];
  }

  private putLines(response: PutResponse): string[] {
    return [...this.headerLines(response.header), ...this.keyValueLines('Prev', response.prevKv)];
  }

  private deleteRangeLines(response: DeleteRangeResponse): string[] {
    return [
      ...this.headerLines(response.header),
      field('Deleted', response.deleted),
      ...response.prevKvs.flatMap((keyValue) => this.keyValueLines('Prev', keyValue)),
    ];
  }

  private txnLines(response: TxnResponse): string[] {
    return [
      ...this.headerLines(response.header),
      field('Succeeded', response.succeeded),
      ...response.responses.flatMap((operation) => this.operationLines(operation)),
    ];
  }

  private operationLines({ response }: ResponseOp): string[] {
    switch (response?.$case) {
      case 'responseRange':
        return this.getLines(response.value);
      case 'responsePut':
        return this.putLines(response.value);
      case 'responseDeleteRange':
        return this.deleteRangeLines(response.value);
      case 'responseTxn':
        return this.txnLines(response.value);
      default:
        return ['"Unknown" : ""'];
    }
  }

  private withHeader(response: HasHeader, rest: readonly string[] = []): Buffer {
    return lines([...this.headerLines(response.header), ...rest]);
  }

  /** The revision is left out when 0 since 3.6; an absent header prints zeros. */
  private headerLines(header: ResponseHeader | undefined): string[] {
    const revision = header?.revision ?? 0;
    return [
      field('ClusterID', this.id(header?.clusterId ?? 0n)),
      field('MemberID', this.id(header?.memberId ?? 0n)),
      ...(revision > 0 ? [field('Revision', revision)] : []),
      field('RaftTerm', header?.raftTerm ?? 0),
    ];
  }

  private keyValueLines(prefix: string, keyValue: KeyValue | undefined): string[] {
    if (keyValue === undefined) {
      return [];
    }
    const lease = this.hex ? leaseId(keyValue.lease) : keyValue.lease;
    return [
      field(`${prefix}Key`, quoteGo(keyValue.key)),
      field(`${prefix}CreateRevision`, keyValue.createRevision),
      field(`${prefix}ModRevision`, keyValue.modRevision),
      field(`${prefix}Version`, keyValue.version),
      field(`${prefix}Value`, quoteGo(keyValue.value)),
      field(`${prefix}Lease`, lease),
    ];
  }

  private leaseField(id: bigint): string {
    return field('ID', this.hex ? leaseId(id) : id);
  }

  private id(id: bigint): string {
    return this.hex ? hexId(id) : id.toString();
  }
}

function field(name: string, value: string | number | bigint | boolean): string {
  return `"${name}" : ${value}`;
}
