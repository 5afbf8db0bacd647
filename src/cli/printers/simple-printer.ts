import type { WatchUpdate } from '../../client/watcher.js';
import type { SnapshotSummary } from '../../offline/snapshot-status.js';
import type { Permission } from '../../proto/gen/authpb/auth.js';
import {
  type AlarmResponse,
  AlarmType,
  type AuthRoleGetResponse,
  type AuthRoleListResponse,
  type AuthStatusResponse,
  type AuthUserGetResponse,
  type AuthUserListResponse,
  type DeleteRangeResponse,
  type DowngradeResponse,
  type LeaseGrantResponse,
  type LeaseKeepAliveResponse,
  type LeaseLeasesResponse,
  type LeaseTimeToLiveResponse,
  type MemberAddResponse,
  type MemberListResponse,
  type PutResponse,
  type RangeResponse,
  type ResponseHeader,
  type ResponseOp,
  type TxnResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { Event_EventType, type KeyValue } from '../../proto/gen/mvccpb/kv.js';
import { accessText } from './access-text.js';
import { enumName, hexBytes, hexId, leaseId, lines, paddedHexId } from './go-text.js';
import {
  type AccessAnswer,
  type EndpointHashKv,
  type EndpointHealth,
  type EndpointStatus,
  type FileHashKv,
  type NewMember,
  Printer,
  type SplitOutput,
} from './printer.js';
import { revokedPermissionText, rolePermissionLines } from './role-text.js';
import { hashKvRow, memberRow, snapshotRow, statusRow } from './rows.js';

type HasHeader = { readonly header: ResponseHeader | undefined };

const NEWLINE = Buffer.from('\n');

/** The human form. Keys and values are raw bytes. */
export class SimplePrinter extends Printer {
  override readonly format = 'simple';
  private readonly hex: boolean;

  /** `hex`: print keys and values as `\x66`. */
  constructor(hex: boolean) {
    super();
    this.hex = hex;
  }

  override get(response: RangeResponse, options: { readonly valueOnly?: boolean } = {}): Buffer {
    return this.keyValues(response.kvs, options.valueOnly === true);
  }

  override put(response: PutResponse): Buffer {
    return Buffer.concat([Buffer.from('OK\n'), this.keyValue(response.prevKv)]);
  }

  override deleteRange(response: DeleteRangeResponse): Buffer {
    return Buffer.concat([lines([String(response.deleted)]), this.keyValues(response.prevKvs)]);
  }

  override txn(response: TxnResponse): Buffer {
    const parts: Buffer[] = [Buffer.from(response.succeeded ? 'SUCCESS\n' : 'FAILURE\n')];
    for (const operation of response.responses) {
      parts.push(NEWLINE, this.operation(operation));
    }
    return Buffer.concat(parts);
  }

  override watch(update: WatchUpdate): Buffer {
    const parts: Buffer[] = [];
    for (const event of update.events) {
      parts.push(lines([enumName(Event_EventType, event.type)]));
      parts.push(this.keyValue(event.prevKv), this.keyValue(event.kv));
    }
    return Buffer.concat(parts);
  }

  override leaseGrant({ ID, TTL }: LeaseGrantResponse): Buffer {
    return lines([`lease ${leaseId(ID)} granted with TTL(${TTL}s)`]);
  }

  override leaseRevoke(id: bigint): Buffer {
    return lines([`lease ${leaseId(id)} revoked`]);
  }

  override leaseKeepAlive({ ID, TTL }: LeaseKeepAliveResponse): Buffer {
    return lines([
      TTL <= 0
        ? `lease ${leaseId(ID)} expired or revoked.`
        : `lease ${leaseId(ID)} keepalived with TTL(${TTL})`,
    ]);
  }

  override leaseTimeToLive(response: LeaseTimeToLiveResponse, keys: boolean): Buffer {
    const id = leaseId(response.ID);
    if (response.grantedTTL === 0 && response.TTL === -1) {
      return lines([`lease ${id} already expired`]);
    }
    const times = `granted with TTL(${response.grantedTTL}s), remaining(${response.TTL}s)`;
    if (!keys) {
      return lines([`lease ${id} ${times}`]);
    }
    const parts: Buffer[] = [Buffer.from(`lease ${id} ${times}, attached keys([`)];
    for (const [index, key] of response.keys.entries()) {
      parts.push(Buffer.from(index === 0 ? '' : ' '), key);
    }
    return Buffer.concat([...parts, Buffer.from('])\n')]);
  }

  override leaseList(response: LeaseLeasesResponse): Buffer {
    const ids = response.leases.map((lease) => leaseId(lease.ID));
    return lines([`found ${ids.length} leases`, ...ids]);
  }

  override memberList(response: MemberListResponse): Buffer {
    return lines(response.members.map((member) => memberRow(member).join(', ')));
  }

  override memberAdd(response: MemberAddResponse, added: NewMember): Buffer {
    const id = response.member?.ID ?? 0n;
    const role = response.member?.isLearner === true ? 'added as learner to' : 'added to';
    const cluster = response.members.flatMap((member) =>
      member.peerURLs.map((url) => `${member.ID === id ? added.name : member.name}=${url}`),
    );
    return lines([
      memberSentence(id, role, response),
      '',
      `ETCD_NAME="${added.name}"`,
      `ETCD_INITIAL_CLUSTER="${cluster.join(',')}"`,
      `ETCD_INITIAL_ADVERTISE_PEER_URLS="${added.peerUrls}"`,
      'ETCD_INITIAL_CLUSTER_STATE="existing"',
    ]);
  }

  override memberRemove(id: bigint, response: HasHeader): Buffer {
    return lines([memberSentence(id, 'removed from', response)]);
  }

  override memberUpdate(id: bigint, response: HasHeader): Buffer {
    return lines([memberSentence(id, 'updated in', response)]);
  }

  override memberPromote(id: bigint, response: HasHeader): Buffer {
    return lines([memberSentence(id, 'promoted in', response)]);
  }

  override endpointHealth(entries: readonly EndpointHealth[]): SplitOutput {
    const healthy = entries.filter(({ error }) => error === '');
    const ill = entries.filter(({ error }) => error !== '');
    return {
      stdout: lines(
        healthy.map(
          ({ endpoint, took }) =>
            `${endpoint} is healthy: successfully committed proposal: took = ${took}`,
        ),
      ),
      stderr: lines(
        ill.map(
          ({ endpoint, error }) => `${endpoint} is unhealthy: failed to commit proposal: ${error}`,
        ),
      ),
    };
  }

  override endpointStatus(entries: readonly EndpointStatus[]): Buffer {
    return lines(entries.map((entry) => statusRow(entry).join(', ')));
  }

  override endpointHashKv(entries: readonly EndpointHashKv[]): Buffer {
    return lines(entries.map((entry) => hashKvRow(entry).join(', ')));
  }

  /**
   * Trap: 3.7 puts one or two spaces between the fields, depending on a hash of its binary; every
   * older version puts one (reference: cli 5.5).
   */
  override alarm(response: AlarmResponse): Buffer {
    return lines(
      response.alarms.map(({ memberID, alarm }) => {
        const member = memberID === 0n ? [] : [`memberID:${memberID}`];
        const type = alarm === AlarmType.NONE ? [] : [`alarm:${enumName(AlarmType, alarm)}`];
        return [...member, ...type].join(' ');
      }),
    );
  }

  override moveLeader(leader: bigint, target: bigint): Buffer {
    return lines([`Leadership transferred from ${hexId(leader)} to ${hexId(target)}`]);
  }

  override downgradeValidate({ version }: DowngradeResponse): Buffer {
    return lines([`Downgrade validate success, cluster version ${version}`]);
  }

  override downgradeEnable({ version }: DowngradeResponse): Buffer {
    return lines([`Downgrade enable success, cluster version ${version}`]);
  }

  override downgradeCancel({ version }: DowngradeResponse): Buffer {
    return lines([`Downgrade cancel success, cluster version ${version}`]);
  }

  override authStatus(response: AuthStatusResponse): Buffer {
    return lines([
      `Authentication Status: ${response.enabled}`,
      `AuthRevision: ${response.authRevision}`,
    ]);
  }

  override userAdd(user: string): Buffer {
    return lines([`User ${user} created`]);
  }

  override userGet(user: string, response: AuthUserGetResponse): Buffer {
    return lines([`User: ${user}`, ['Roles:', ...response.roles].join(' ')]);
  }

  override userList(response: AuthUserListResponse): Buffer {
    return lines(response.users);
  }

  override userDelete(user: string): Buffer {
    return lines([`User ${user} deleted`]);
  }

  override userChangePassword(): Buffer {
    return lines(['Password updated']);
  }

  override userGrantRole(user: string, role: string): Buffer {
    return lines([`Role ${role} is granted to user ${user}`]);
  }

  override userRevokeRole(user: string, role: string): Buffer {
    return lines([`Role ${role} is revoked from user ${user}`]);
  }

  override roleAdd(role: string): Buffer {
    return lines([`Role ${role} created`]);
  }

  override roleGet(role: string, response: AuthRoleGetResponse): Buffer {
    return rolePermissionLines(role, response.perm);
  }

  override roleList(response: AuthRoleListResponse): Buffer {
    return lines(response.roles);
  }

  override roleDelete(role: string): Buffer {
    return lines([`Role ${role} deleted`]);
  }

  override roleGrantPermission(role: string): Buffer {
    return lines([`Role ${role} updated`]);
  }

  override roleRevokePermission(role: string, range: Pick<Permission, 'key' | 'rangeEnd'>): Buffer {
    return revokedPermissionText(role, range);
  }

  override access(answer: AccessAnswer): Buffer {
    return accessText(answer);
  }

  override snapshotStatus(status: SnapshotSummary): Buffer {
    return lines([snapshotRow(status).join(', ')]);
  }

  override fileHashKv(hash: FileHashKv): Buffer {
    return lines([`${hash.hash}, ${hash.hashRevision}, ${hash.compactRevision}`]);
  }

  private operation({ response }: ResponseOp): Buffer {
    switch (response?.$case) {
      case 'responseRange':
        return this.get(response.value);
      case 'responsePut':
        return this.put(response.value);
      case 'responseDeleteRange':
        return this.deleteRange(response.value);
      case 'responseTxn':
        return this.txn(response.value);
      default:
        return Buffer.from('unexpected response in transaction\n');
    }
  }

  private keyValues(keyValues: readonly KeyValue[], valueOnly = false): Buffer {
    const parts: Buffer[] = [];
    for (const { key, value } of keyValues) {
      if (!valueOnly) {
        parts.push(this.shown(key), NEWLINE);
      }
      parts.push(this.shown(value), NEWLINE);
    }
    return Buffer.concat(parts);
  }

  private keyValue(keyValue: KeyValue | undefined): Buffer {
    return this.keyValues(keyValue === undefined ? [] : [keyValue]);
  }

  private shown(bytes: Buffer): Buffer {
    return this.hex ? Buffer.from(hexBytes(bytes)) : bytes;
  }
}

function memberSentence(id: bigint, what: string, { header }: HasHeader): string {
  return `Member ${paddedHexId(id)} ${what} cluster ${paddedHexId(header?.clusterId ?? 0n)}`;
}
