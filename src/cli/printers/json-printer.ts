import type { WatchUpdate } from '../../client/watcher.js';
import type { SnapshotSummary } from '../../offline/snapshot-status.js';
import type {
  AlarmResponse,
  AuthRoleGetResponse,
  AuthRoleListResponse,
  AuthStatusResponse,
  AuthUserGetResponse,
  AuthUserListResponse,
  DeleteRangeResponse,
  DowngradeResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseTimeToLiveResponse,
  Member,
  MemberAddResponse,
  MemberListResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  TxnResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { JsonObject, jsonArray, jsonBytes } from './go-json.js';
import {
  addHeader,
  alarmJson,
  deleteRangeJson,
  eventJson,
  hashKvJson,
  headerJson,
  hexHeaderJson,
  hexMemberJson,
  memberJson,
  permissionJson,
  putJson,
  rangeJson,
  ruleJson,
  statusJson,
  txnJson,
  withHeader,
} from './json-messages.js';
import {
  type AccessAnswer,
  type EndpointHashKv,
  type EndpointHealth,
  type EndpointStatus,
  type FileHashKv,
  Printer,
  type SplitOutput,
} from './printer.js';

type HasHeader = { readonly header: ResponseHeader | undefined };

type MemberResponse = HasHeader & {
  readonly member?: Member | undefined;
  readonly members: readonly Member[];
};

/** One compact object a result, as Go writes it (reference: cli 3.2). */
export class JsonPrinter extends Printer {
  override readonly format = 'json';
  private readonly hex: boolean;

  /** `hex`: ids of the member commands as hexadecimal strings; nothing else changes. */
  constructor(hex: boolean) {
    super();
    this.hex = hex;
  }

  override get(response: RangeResponse): Buffer {
    return line(rangeJson(response));
  }

  override put(response: PutResponse): Buffer {
    return line(putJson(response));
  }

  override deleteRange(response: DeleteRangeResponse): Buffer {
    return line(deleteRangeJson(response));
  }

  override txn(response: TxnResponse): Buffer {
    return line(txnJson(response));
  }

  override watch(update: WatchUpdate): Buffer {
    const events = update.events.length === 0 ? 'null' : jsonArray(update.events.map(eventJson));
    return line(
      new JsonObject()
        .raw('Header', headerJson(update.header))
        .raw('Events', events)
        .requiredNumber('CompactRevision', update.compactRevision)
        .requiredBoolean('Canceled', update.canceled)
        .requiredBoolean('Created', update.created)
        .requiredString('CancelReason', update.cancelReason),
    );
  }

  override leaseGrant(response: LeaseGrantResponse): Buffer {
    return line(
      addHeader(new JsonObject(), response.header)
        .requiredNumber('ID', response.ID)
        .requiredNumber('TTL', response.TTL)
        .requiredString('Error', response.error),
    );
  }

  override leaseRevoke(_id: bigint, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override leaseKeepAlive(response: LeaseKeepAliveResponse): Buffer {
    return line(
      addHeader(new JsonObject(), response.header)
        .requiredNumber('ID', response.ID)
        .requiredNumber('TTL', response.TTL),
    );
  }

  override leaseTimeToLive(response: LeaseTimeToLiveResponse): Buffer {
    const keys = response.keys.length === 0 ? 'null' : jsonArray(response.keys.map(jsonBytes));
    return line(
      addHeader(new JsonObject(), response.header)
        .requiredNumber('id', response.ID)
        .requiredNumber('ttl', response.TTL)
        .requiredNumber('granted-ttl', response.grantedTTL)
        .raw('keys', keys),
    );
  }

  override leaseList(response: LeaseLeasesResponse): Buffer {
    const leases = response.leases.map(({ ID }) => `{"id":${ID}}`);
    return line(addHeader(new JsonObject(), response.header).raw('leases', jsonArray(leases)));
  }

  override memberList(response: MemberListResponse): Buffer {
    return this.members(response);
  }

  override memberAdd(response: MemberAddResponse): Buffer {
    return this.members(response);
  }

  override memberRemove(_id: bigint, response: MemberResponse): Buffer {
    return this.members(response);
  }

  override memberUpdate(_id: bigint, response: MemberResponse): Buffer {
    return this.members(response);
  }

  override memberPromote(_id: bigint, response: MemberResponse): Buffer {
    return this.members(response);
  }

  override endpointHealth(entries: readonly EndpointHealth[]): SplitOutput {
    const items = entries.map((entry) =>
      new JsonObject()
        .requiredString('endpoint', entry.endpoint)
        .requiredBoolean('health', entry.health)
        .requiredString('took', entry.took)
        .string('error', entry.error)
        .toString(),
    );
    return { stdout: line(arrayOrNull(items)), stderr: Buffer.alloc(0) };
  }

  override endpointStatus(entries: readonly EndpointStatus[]): Buffer {
    const items = entries.map(({ endpoint, status }) =>
      new JsonObject()
        .requiredString('Endpoint', endpoint)
        .raw('Status', statusJson(status))
        .toString(),
    );
    return line(arrayOrNull(items));
  }

  override endpointHashKv(entries: readonly EndpointHashKv[]): Buffer {
    const items = entries.map(({ endpoint, hashKv }) =>
      new JsonObject()
        .requiredString('Endpoint', endpoint)
        .raw('HashKV', hashKvJson(hashKv))
        .toString(),
    );
    return line(arrayOrNull(items));
  }

  override alarm(response: AlarmResponse): Buffer {
    return line(withHeader(response).list('alarms', response.alarms, alarmJson));
  }

  override moveLeader(_leader: bigint, _target: bigint, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override downgradeValidate(response: DowngradeResponse): Buffer {
    return downgrade(response);
  }

  override downgradeEnable(response: DowngradeResponse): Buffer {
    return downgrade(response);
  }

  override downgradeCancel(response: DowngradeResponse): Buffer {
    return downgrade(response);
  }

  override authStatus(response: AuthStatusResponse): Buffer {
    return line(
      withHeader(response)
        .boolean('enabled', response.enabled)
        .number('authRevision', response.authRevision),
    );
  }

  override userAdd(_user: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override userGet(_user: string, response: AuthUserGetResponse): Buffer {
    return line(withHeader(response).strings('roles', response.roles));
  }

  override userList(response: AuthUserListResponse): Buffer {
    return line(withHeader(response).strings('users', response.users));
  }

  override userDelete(_user: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override userChangePassword(response: HasHeader): Buffer {
    return headerLine(response);
  }

  override userGrantRole(_user: string, _role: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override userRevokeRole(_user: string, _role: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override roleAdd(_role: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override roleGet(_role: string, response: AuthRoleGetResponse): Buffer {
    return line(withHeader(response).list('perm', response.perm, permissionJson));
  }

  override roleList(response: AuthRoleListResponse): Buffer {
    return line(withHeader(response).strings('roles', response.roles));
  }

  override roleDelete(_role: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override roleGrantPermission(_role: string, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override roleRevokePermission(_role: string, _range: unknown, response: HasHeader): Buffer {
    return headerLine(response);
  }

  override access({ user, access, range, verdict }: AccessAnswer): Buffer {
    return line(
      new JsonObject()
        .requiredString('user', user)
        .requiredString('access', access)
        .bytes('key', range.key)
        .bytes('range_end', range.rangeEnd)
        .requiredBoolean('allowed', verdict.allowed)
        .requiredString('reason', verdict.reason)
        .list('rules', verdict.rules, ruleJson),
    );
  }

  override snapshotStatus(status: SnapshotSummary): Buffer {
    const { version } = status;
    const json = new JsonObject()
      .requiredNumber('hash', status.hash)
      .requiredNumber('revision', status.revision)
      .requiredNumber('totalKey', status.totalKey)
      .requiredNumber('totalSize', status.totalSize);
    return line(version === undefined ? json : json.requiredString('version', version));
  }

  override fileHashKv(hash: FileHashKv): Buffer {
    return line(
      new JsonObject()
        .requiredNumber('hash', hash.hash)
        .requiredNumber('hashRevision', hash.hashRevision)
        .requiredNumber('compactRevision', hash.compactRevision),
    );
  }

  private members(response: MemberResponse): Buffer {
    if (this.hex) {
      return line(
        new JsonObject()
          .message('header', response.header, hexHeaderJson)
          .message('member', response.member, hexMemberJson)
          .raw('members', jsonArray(response.members.map(hexMemberJson))),
      );
    }
    return line(
      withHeader(response)
        .message('member', response.member, memberJson)
        .list('members', response.members, memberJson),
    );
  }
}

function line(json: JsonObject | string): Buffer {
  return Buffer.from(`${json.toString()}\n`);
}

function headerLine(response: HasHeader): Buffer {
  return line(withHeader(response));
}

function downgrade(response: DowngradeResponse): Buffer {
  return line(withHeader(response).string('version', response.version));
}

/** A list that nothing was added to is Go's nil slice. */
function arrayOrNull(items: readonly string[]): string {
  return items.length === 0 ? 'null' : jsonArray(items);
}
