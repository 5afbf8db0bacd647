import type { WatchUpdate } from '../../client/watcher.js';
import type { SnapshotSummary } from '../../offline/snapshot-status.js';
import type { Permission } from '../../proto/gen/authpb/auth.js';
import type {
  AlarmResponse,
  AuthRoleAddResponse,
  AuthRoleDeleteResponse,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionResponse,
  AuthRoleListResponse,
  AuthRoleRevokePermissionResponse,
  AuthStatusResponse,
  AuthUserAddResponse,
  AuthUserChangePasswordResponse,
  AuthUserDeleteResponse,
  AuthUserGetResponse,
  AuthUserGrantRoleResponse,
  AuthUserListResponse,
  AuthUserRevokeRoleResponse,
  DeleteRangeResponse,
  DowngradeResponse,
  HashKVResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  MoveLeaderResponse,
  PutResponse,
  RangeResponse,
  StatusResponse,
  TxnResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import type { Access, Verdict } from '../auth/access.js';
import type { KeyRange } from '../kv/key-range.js';
import type { OutputFormat } from './output-format.js';

/** A command has no form for the wanted format. etcdctl exits with 4 (reference: cli 3.1). */
export class UnsupportedFormatError extends Error {
  constructor(format: string) {
    super(`${format} not supported as output format`);
    this.name = 'UnsupportedFormatError';
  }
}

/** What `member add` was told, which the response does not repeat. */
export interface NewMember {
  readonly name: string;
  /** The value of `--peer-urls` as given. */
  readonly peerUrls: string;
}

export interface EndpointHealth {
  readonly endpoint: string;
  readonly health: boolean;
  /** A Go duration: `903.138µs`. */
  readonly took: string;
  /** Empty if healthy. */
  readonly error: string;
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: StatusResponse;
}

export interface EndpointHashKv {
  readonly endpoint: string;
  readonly hashKv: HashKVResponse;
}

/** What `etcdutl hashkv` found (reference: cli 10.4). */
export interface FileHashKv {
  readonly hash: number;
  readonly hashRevision: number;
  /** -1 if never compacted. */
  readonly compactRevision: number;
}

/** A question of `auth can-i` and its answer. */
export interface AccessAnswer {
  readonly user: string;
  readonly access: Access;
  readonly range: KeyRange;
  readonly verdict: Verdict;
}

/** Bytes for both streams; only `endpoint health` has some for stderr. */
export interface SplitOutput {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Turns results into the bytes to be written to stdout. Every method throws
 * {@link UnsupportedFormatError} if its command has no form for the format; since that is found
 * only when printing, the request has been carried out by then, as in etcdctl.
 */
export abstract class Printer {
  abstract readonly format: OutputFormat;

  get(_response: RangeResponse, _options?: { readonly valueOnly?: boolean }): Buffer {
    return this.unsupported();
  }

  put(_response: PutResponse): Buffer {
    return this.unsupported();
  }

  deleteRange(_response: DeleteRangeResponse): Buffer {
    return this.unsupported();
  }

  txn(_response: TxnResponse): Buffer {
    return this.unsupported();
  }

  /** The lines about progress and cancellation are the command's (reference: cli 4.6). */
  watch(_update: WatchUpdate): Buffer {
    return this.unsupported();
  }

  leaseGrant(_response: LeaseGrantResponse): Buffer {
    return this.unsupported();
  }

  leaseRevoke(_id: bigint, _response: LeaseRevokeResponse): Buffer {
    return this.unsupported();
  }

  leaseKeepAlive(_response: LeaseKeepAliveResponse): Buffer {
    return this.unsupported();
  }

  /** `keys`: the attached keys were asked for. */
  leaseTimeToLive(_response: LeaseTimeToLiveResponse, _keys: boolean): Buffer {
    return this.unsupported();
  }

  leaseList(_response: LeaseLeasesResponse): Buffer {
    return this.unsupported();
  }

  memberList(_response: MemberListResponse): Buffer {
    return this.unsupported();
  }

  memberAdd(_response: MemberAddResponse, _added: NewMember): Buffer {
    return this.unsupported();
  }

  memberRemove(_id: bigint, _response: MemberRemoveResponse): Buffer {
    return this.unsupported();
  }

  memberUpdate(_id: bigint, _response: MemberUpdateResponse): Buffer {
    return this.unsupported();
  }

  memberPromote(_id: bigint, _response: MemberPromoteResponse): Buffer {
    return this.unsupported();
  }

  endpointHealth(_entries: readonly EndpointHealth[]): SplitOutput {
    return this.unsupported();
  }

  endpointStatus(_entries: readonly EndpointStatus[]): Buffer {
    return this.unsupported();
  }

  endpointHashKv(_entries: readonly EndpointHashKv[]): Buffer {
    return this.unsupported();
  }

  alarm(_response: AlarmResponse): Buffer {
    return this.unsupported();
  }

  moveLeader(_leader: bigint, _target: bigint, _response: MoveLeaderResponse): Buffer {
    return this.unsupported();
  }

  downgradeValidate(_response: DowngradeResponse): Buffer {
    return this.unsupported();
  }

  downgradeEnable(_response: DowngradeResponse): Buffer {
    return this.unsupported();
  }

  downgradeCancel(_response: DowngradeResponse): Buffer {
    return this.unsupported();
  }

  authStatus(_response: AuthStatusResponse): Buffer {
    return this.unsupported();
  }

  userAdd(_user: string, _response: AuthUserAddResponse): Buffer {
    return this.unsupported();
  }

  userGet(_user: string, _response: AuthUserGetResponse): Buffer {
    return this.unsupported();
  }

  userList(_response: AuthUserListResponse): Buffer {
    return this.unsupported();
  }

  userDelete(_user: string, _response: AuthUserDeleteResponse): Buffer {
    return this.unsupported();
  }

  userChangePassword(_response: AuthUserChangePasswordResponse): Buffer {
    return this.unsupported();
  }

  userGrantRole(_user: string, _role: string, _response: AuthUserGrantRoleResponse): Buffer {
    return this.unsupported();
  }

  userRevokeRole(_user: string, _role: string, _response: AuthUserRevokeRoleResponse): Buffer {
    return this.unsupported();
  }

  roleAdd(_role: string, _response: AuthRoleAddResponse): Buffer {
    return this.unsupported();
  }

  roleGet(_role: string, _response: AuthRoleGetResponse): Buffer {
    return this.unsupported();
  }

  roleList(_response: AuthRoleListResponse): Buffer {
    return this.unsupported();
  }

  roleDelete(_role: string, _response: AuthRoleDeleteResponse): Buffer {
    return this.unsupported();
  }

  roleGrantPermission(_role: string, _response: AuthRoleGrantPermissionResponse): Buffer {
    return this.unsupported();
  }

  /** `range`: the key and range end that were revoked, as typed. */
  roleRevokePermission(
    _role: string,
    _range: Pick<Permission, 'key' | 'rangeEnd'>,
    _response: AuthRoleRevokePermissionResponse,
  ): Buffer {
    return this.unsupported();
  }

  access(_answer: AccessAnswer): Buffer {
    return this.unsupported();
  }

  snapshotStatus(_status: SnapshotSummary): Buffer {
    return this.unsupported();
  }

  fileHashKv(_hash: FileHashKv): Buffer {
    return this.unsupported();
  }

  protected unsupported(): never {
    throw new UnsupportedFormatError(this.format);
  }
}
