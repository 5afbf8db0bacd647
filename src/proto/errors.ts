/**
 * The errors that cross the wire. One catalogue holds every error etcd knows by name with its gRPC
 * code and its exact text: clients match on the text, so it must not change by a letter.
 */

/** gRPC status codes. */
export const GrpcCode = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;

export type GrpcCode = (typeof GrpcCode)[keyof typeof GrpcCode];

/**
 * Every named error: code and text (reference: api 7).
 *
 * Trap: MemberNotEnoughStarted and RequestTooManyRequests have codes of their own on paper
 * (FailedPrecondition, ResourceExhausted), but every etcd from 3.4 to 3.7 sends both as Unknown.
 */
const CATALOGUE = {
  EmptyKey: [GrpcCode.InvalidArgument, 'etcdserver: key is not provided'],
  KeyNotFound: [GrpcCode.InvalidArgument, 'etcdserver: key not found'],
  ValueProvided: [GrpcCode.InvalidArgument, 'etcdserver: value is provided'],
  LeaseProvided: [GrpcCode.InvalidArgument, 'etcdserver: lease is provided'],
  TooManyOps: [GrpcCode.InvalidArgument, 'etcdserver: too many operations in txn request'],
  DuplicateKey: [GrpcCode.InvalidArgument, 'etcdserver: duplicate key given in txn request'],
  InvalidClientAPIVersion: [GrpcCode.InvalidArgument, 'etcdserver: invalid client api version'],
  InvalidSortOption: [GrpcCode.InvalidArgument, 'etcdserver: invalid sort option'],
  Compacted: [GrpcCode.OutOfRange, 'etcdserver: mvcc: required revision has been compacted'],
  FutureRev: [GrpcCode.OutOfRange, 'etcdserver: mvcc: required revision is a future revision'],
  NoSpace: [GrpcCode.ResourceExhausted, 'etcdserver: mvcc: database space exceeded'],
  LeaseNotFound: [GrpcCode.NotFound, 'etcdserver: requested lease not found'],
  LeaseExist: [GrpcCode.FailedPrecondition, 'etcdserver: lease already exists'],
  LeaseTTLTooLarge: [GrpcCode.OutOfRange, 'etcdserver: too large lease TTL'],
  WatchCanceled: [GrpcCode.Canceled, 'etcdserver: watch canceled'],
  MemberExist: [GrpcCode.FailedPrecondition, 'etcdserver: member ID already exist'],
  PeerURLExist: [GrpcCode.FailedPrecondition, 'etcdserver: Peer URLs already exists'],
  MemberNotEnoughStarted: [
    GrpcCode.Unknown,
    'etcdserver: re-configuration failed due to not enough started members',
  ],
  MemberBadURLs: [GrpcCode.InvalidArgument, 'etcdserver: given member URLs are invalid'],
  MemberNotFound: [GrpcCode.NotFound, 'etcdserver: member not found'],
  MemberNotLearner: [GrpcCode.FailedPrecondition, 'etcdserver: can only promote a learner member'],
  LearnerNotReady: [
    GrpcCode.FailedPrecondition,
    'etcdserver: can only promote a learner member which is in sync with leader',
  ],
  TooManyLearners: [GrpcCode.FailedPrecondition, 'etcdserver: too many learner members in cluster'],
  ClusterIDMismatch: [GrpcCode.FailedPrecondition, 'etcdserver: cluster ID mismatch'],
  RequestTooLarge: [GrpcCode.InvalidArgument, 'etcdserver: request is too large'],
  RequestTooManyRequests: [GrpcCode.Unknown, 'etcdserver: too many requests'],
  RootUserNotExist: [GrpcCode.FailedPrecondition, 'etcdserver: root user does not exist'],
  RootRoleNotExist: [GrpcCode.FailedPrecondition, 'etcdserver: root user does not have root role'],
  UserAlreadyExist: [GrpcCode.FailedPrecondition, 'etcdserver: user name already exists'],
  UserEmpty: [GrpcCode.InvalidArgument, 'etcdserver: user name is empty'],
  UserNotFound: [GrpcCode.FailedPrecondition, 'etcdserver: user name not found'],
  RoleAlreadyExist: [GrpcCode.FailedPrecondition, 'etcdserver: role name already exists'],
  RoleNotFound: [GrpcCode.FailedPrecondition, 'etcdserver: role name not found'],
  RoleEmpty: [GrpcCode.InvalidArgument, 'etcdserver: role name is empty'],
  AuthFailed: [
    GrpcCode.InvalidArgument,
    'etcdserver: authentication failed, invalid user ID or password',
  ],
  PermissionNotGiven: [GrpcCode.InvalidArgument, 'etcdserver: permission not given'],
  PermissionDenied: [GrpcCode.PermissionDenied, 'etcdserver: permission denied'],
  RoleNotGranted: [GrpcCode.FailedPrecondition, 'etcdserver: role is not granted to the user'],
  PermissionNotGranted: [
    GrpcCode.FailedPrecondition,
    'etcdserver: permission is not granted to the role',
  ],
  AuthNotEnabled: [GrpcCode.FailedPrecondition, 'etcdserver: authentication is not enabled'],
  InvalidAuthToken: [GrpcCode.Unauthenticated, 'etcdserver: invalid auth token'],
  InvalidAuthMgmt: [GrpcCode.InvalidArgument, 'etcdserver: invalid auth management'],
  AuthOldRevision: [GrpcCode.InvalidArgument, 'etcdserver: revision of auth store is old'],
  NoLeader: [GrpcCode.Unavailable, 'etcdserver: no leader'],
  NotLeader: [GrpcCode.FailedPrecondition, 'etcdserver: not leader'],
  LeaderChanged: [GrpcCode.Unavailable, 'etcdserver: leader changed'],
  NotCapable: [GrpcCode.FailedPrecondition, 'etcdserver: not capable'],
  Stopped: [GrpcCode.Unavailable, 'etcdserver: server stopped'],
  Timeout: [GrpcCode.Unavailable, 'etcdserver: request timed out'],
  TimeoutDueToLeaderFail: [
    GrpcCode.Unavailable,
    'etcdserver: request timed out, possibly due to previous leader failure',
  ],
  TimeoutDueToConnectionLost: [
    GrpcCode.Unavailable,
    'etcdserver: request timed out, possibly due to connection lost',
  ],
  TimeoutWaitAppliedIndex: [
    GrpcCode.Unavailable,
    'etcdserver: request timed out, waiting for the applied index took too long',
  ],
  Unhealthy: [GrpcCode.Unavailable, 'etcdserver: unhealthy cluster'],
  Corrupt: [GrpcCode.DataLoss, 'etcdserver: corrupt cluster'],
  NotSupportedForLearner: [
    GrpcCode.FailedPrecondition,
    'etcdserver: rpc not supported for learner',
  ],
  BadLeaderTransferee: [GrpcCode.FailedPrecondition, 'etcdserver: bad leader transferee'],
  WrongDowngradeVersionFormat: [
    GrpcCode.InvalidArgument,
    'etcdserver: wrong downgrade target version format',
  ],
  InvalidDowngradeTargetVersion: [
    GrpcCode.InvalidArgument,
    'etcdserver: invalid downgrade target version',
  ],
  ClusterVersionUnavailable: [
    GrpcCode.FailedPrecondition,
    'etcdserver: cluster version not found during downgrade',
  ],
  DowngradeInProcess: [
    GrpcCode.FailedPrecondition,
    'etcdserver: cluster has a downgrade job in progress',
  ],
  NoInflightDowngrade: [GrpcCode.FailedPrecondition, 'etcdserver: no inflight downgrade job'],
  Canceled: [GrpcCode.Canceled, 'etcdserver: request canceled'],
  DeadlineExceeded: [GrpcCode.DeadlineExceeded, 'etcdserver: context deadline exceeded'],

  // What a caller gets whose call was canceled or timed out before etcd had an answer of its own.
  ContextCanceled: [GrpcCode.Canceled, 'context canceled'],
  ContextDeadlineExceeded: [GrpcCode.DeadlineExceeded, 'context deadline exceeded'],

  // Errors etcd's own table does not map: they reach the client as Unknown with their text.
  ProposalDropped: [GrpcCode.Unknown, 'raft proposal dropped'],
  RaftStopped: [GrpcCode.Unknown, 'raft: stopped'],
  NotPrimaryLessor: [GrpcCode.Unknown, 'not a primary lessor'],
  TimeoutLeaderTransfer: [
    GrpcCode.Unknown,
    'etcdserver: request timed out, leader transfer took too long',
  ],
  UnknownMethod: [GrpcCode.Unknown, 'etcdserver: unknown method'],
  NoPasswordUser: [
    GrpcCode.Unknown,
    'auth: authentication failed, password was given for no password user',
  ],
  VerifyOnly: [GrpcCode.Unknown, 'auth: token signing attempted with verify-only key'],
  PasswordTooLong: [GrpcCode.Unknown, 'bcrypt: password length exceeds 72 bytes'],
} as const satisfies Record<string, readonly [GrpcCode, string]>;

/** Name of an etcd error: Go's name without the prefix `ErrGRPC`. */
export type EtcdErrorName = keyof typeof CATALOGUE;

/** An error with a gRPC code; `message` is the status message the client sees. */
export class RpcError extends Error {
  readonly code: GrpcCode;

  constructor(code: GrpcCode, message: string) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
  }
}

/** One of etcd's named errors. Made by {@link etcdError}. */
export class EtcdError extends RpcError {
  readonly reason: EtcdErrorName;

  constructor(reason: EtcdErrorName) {
    const [code, message] = CATALOGUE[reason];
    super(code, message);
    this.name = 'EtcdError';
    this.reason = reason;
  }
}

/** The named error, ready to throw. */
export function etcdError(name: EtcdErrorName): EtcdError {
  return new EtcdError(name);
}

/** True if `error` is the named etcd error. */
export function isEtcdError(error: unknown, name: EtcdErrorName): error is EtcdError {
  return error instanceof EtcdError && error.reason === name;
}

/** All the names, in catalogue order. */
export const ETCD_ERROR_NAMES = Object.keys(CATALOGUE) as readonly EtcdErrorName[];

/** What a client sees of an error. */
export interface RpcStatus {
  readonly code: GrpcCode;
  readonly message: string;
}

/**
 * The one mapping of errors to the wire: an {@link RpcError} as it is, everything else as Unknown
 * with its own text, as etcd does (reference: api 7, mapping quirks).
 */
export function statusOf(error: unknown): RpcStatus {
  if (error instanceof RpcError) {
    return { code: error.code, message: error.message };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: GrpcCode.Unknown, message };
}

const CODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(GrpcCode).map(([name, code]) => [code, name]),
);

/** Go's name of a gRPC code: `Unavailable`. */
export function grpcCodeName(code: number): string {
  return CODE_NAMES.get(code) ?? `Code(${code})`;
}

/** Go's rendering of a gRPC status: `rpc error: code = Unavailable desc = ...`. */
export function grpcErrorText({ code, message }: RpcStatus): string {
  return `rpc error: code = ${grpcCodeName(code)} desc = ${message}`;
}

const NAME_BY_MESSAGE: ReadonlyMap<string, EtcdErrorName> = new Map(
  ETCD_ERROR_NAMES.map((name) => [CATALOGUE[name][1], name]),
);

/**
 * The named error a status message stands for, or undefined. Clients look at the text alone, since
 * several errors arrive with the code Unknown (reference: api 8).
 */
export function etcdErrorByMessage(message: string): EtcdError | undefined {
  const name = NAME_BY_MESSAGE.get(message);
  return name === undefined ? undefined : new EtcdError(name);
}
