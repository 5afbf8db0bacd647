import { type MessageSchema, messageSchema } from './message-schema.js';

/*
 * What entries of the log hold, in all releases from 3.4 on. The order of the fields is that of
 * etcd 3.6's .proto files, where some do not stand in the order of their numbers.
 */

const EMPTY = messageSchema({});
const NAME_ONLY = messageSchema({ name: [1, 'string'] });
const ROLE_ONLY = messageSchema({ role: [1, 'string'] });
const VERSION_ONLY = messageSchema({ ver: [1, 'string'] });
const ID_ONLY = messageSchema({ ID: [1, 'int64'] });

const RANGE = messageSchema({
  key: [1, 'bytes'],
  range_end: [2, 'bytes'],
  limit: [3, 'int64'],
  revision: [4, 'int64'],
  sort_order: [5, ['NONE', 'ASCEND', 'DESCEND']],
  sort_target: [6, ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE']],
  serializable: [7, 'bool'],
  keys_only: [8, 'bool'],
  count_only: [9, 'bool'],
  min_mod_revision: [10, 'int64'],
  max_mod_revision: [11, 'int64'],
  min_create_revision: [12, 'int64'],
  max_create_revision: [13, 'int64'],
});

const PUT = messageSchema({
  key: [1, 'bytes'],
  value: [2, 'bytes'],
  lease: [3, 'int64'],
  prev_kv: [4, 'bool'],
  ignore_value: [5, 'bool'],
  ignore_lease: [6, 'bool'],
});

const DELETE_RANGE = messageSchema({
  key: [1, 'bytes'],
  range_end: [2, 'bytes'],
  prev_kv: [3, 'bool'],
});

const REQUEST_OP: MessageSchema = messageSchema({
  request_range: [1, () => RANGE, 'oneof'],
  request_put: [2, () => PUT, 'oneof'],
  request_delete_range: [3, () => DELETE_RANGE, 'oneof'],
  request_txn: [4, () => TXN, 'oneof'],
});

const COMPARE = messageSchema({
  result: [1, ['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL']],
  target: [2, ['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE']],
  key: [3, 'bytes'],
  version: [4, 'int64', 'oneof'],
  create_revision: [5, 'int64', 'oneof'],
  mod_revision: [6, 'int64', 'oneof'],
  value: [7, 'bytes', 'oneof'],
  lease: [8, 'int64', 'oneof'],
  range_end: [64, 'bytes'],
});

const TXN: MessageSchema = messageSchema({
  compare: [1, () => COMPARE, 'repeated'],
  success: [2, () => REQUEST_OP, 'repeated'],
  failure: [3, () => REQUEST_OP, 'repeated'],
});

const LEASE_CHECKPOINT = messageSchema({ ID: [1, 'int64'], remaining_TTL: [2, 'int64'] });

const PERMISSION = messageSchema({
  permType: [1, ['READ', 'WRITE', 'READWRITE']],
  key: [2, 'bytes'],
  range_end: [3, 'bytes'],
});

const ATTRIBUTES = messageSchema({ name: [1, 'string'], client_urls: [2, 'string', 'repeated'] });

/** A request to the store of etcd's second API: logs of 3.4 and 3.5 hold them. */
export const V2_REQUEST = messageSchema({
  ID: [1, 'uint64'],
  Method: [2, 'string'],
  Path: [3, 'string'],
  Val: [4, 'string'],
  Dir: [5, 'bool'],
  PrevValue: [6, 'string'],
  PrevIndex: [7, 'uint64'],
  PrevExist: [8, 'bool'],
  Expiration: [9, 'int64'],
  Wait: [10, 'bool'],
  Since: [11, 'uint64'],
  Recursive: [12, 'bool'],
  Sorted: [13, 'bool'],
  Quorum: [14, 'bool'],
  Time: [15, 'int64'],
  Stream: [16, 'bool'],
  Refresh: [17, 'bool'],
});

/** Everything else that normal entries hold (reference: api 3.1). */
export const INTERNAL_RAFT_REQUEST = messageSchema({
  header: [
    100,
    () =>
      messageSchema({ ID: [1, 'uint64'], username: [2, 'string'], auth_revision: [3, 'uint64'] }),
  ],
  ID: [1, 'uint64'],
  v2: [2, () => V2_REQUEST],
  range: [3, () => RANGE],
  put: [4, () => PUT],
  delete_range: [5, () => DELETE_RANGE],
  txn: [6, () => TXN],
  compaction: [7, () => messageSchema({ revision: [1, 'int64'], physical: [2, 'bool'] })],
  lease_grant: [8, () => messageSchema({ TTL: [1, 'int64'], ID: [2, 'int64'] })],
  lease_revoke: [9, () => ID_ONLY],
  alarm: [
    10,
    () =>
      messageSchema({
        action: [1, ['GET', 'ACTIVATE', 'DEACTIVATE']],
        memberID: [2, 'uint64'],
        alarm: [3, ['NONE', 'NOSPACE', 'CORRUPT']],
      }),
  ],
  lease_checkpoint: [
    11,
    () => messageSchema({ checkpoints: [1, () => LEASE_CHECKPOINT, 'repeated'] }),
  ],
  auth_enable: [1000, () => EMPTY],
  auth_disable: [1011, () => EMPTY],
  auth_status: [1013, () => EMPTY],
  authenticate: [
    1012,
    () =>
      messageSchema({ name: [1, 'string'], password: [2, 'string'], simple_token: [3, 'string'] }),
  ],
  auth_user_add: [
    1100,
    () =>
      messageSchema({
        name: [1, 'string'],
        password: [2, 'string'],
        options: [3, () => messageSchema({ no_password: [1, 'bool'] })],
        hashedPassword: [4, 'string'],
      }),
  ],
  auth_user_delete: [1101, () => NAME_ONLY],
  auth_user_get: [1102, () => NAME_ONLY],
  auth_user_change_password: [
    1103,
    () =>
      messageSchema({
        name: [1, 'string'],
        password: [2, 'string'],
        hashedPassword: [3, 'string'],
      }),
  ],
  auth_user_grant_role: [1104, () => messageSchema({ user: [1, 'string'], role: [2, 'string'] })],
  auth_user_revoke_role: [1105, () => messageSchema({ name: [1, 'string'], role: [2, 'string'] })],
  auth_user_list: [1106, () => EMPTY],
  auth_role_list: [1107, () => EMPTY],
  auth_role_add: [1200, () => NAME_ONLY],
  auth_role_delete: [1201, () => ROLE_ONLY],
  auth_role_get: [1202, () => ROLE_ONLY],
  auth_role_grant_permission: [
    1203,
    () => messageSchema({ name: [1, 'string'], perm: [2, () => PERMISSION] }),
  ],
  auth_role_revoke_permission: [
    1204,
    () => messageSchema({ role: [1, 'string'], key: [2, 'bytes'], range_end: [3, 'bytes'] }),
  ],
  cluster_version_set: [1300, () => VERSION_ONLY],
  cluster_member_attr_set: [
    1301,
    () => messageSchema({ member_ID: [1, 'uint64'], member_attributes: [2, () => ATTRIBUTES] }),
  ],
  downgrade_info_set: [1302, () => messageSchema({ enabled: [1, 'bool'], ver: [2, 'string'] })],
  downgrade_version_test: [9900, () => VERSION_ONLY],
});

const CONF_STATE = messageSchema({
  voters: [1, 'uint64', 'repeated'],
  learners: [2, 'uint64', 'repeated'],
  voters_outgoing: [3, 'uint64', 'repeated'],
  learners_next: [4, 'uint64', 'repeated'],
  auto_leave: [5, 'bool'],
});

export const CONF_CHANGE = messageSchema({
  id: [1, 'uint64'],
  type: [
    2,
    [
      'ConfChangeAddNode',
      'ConfChangeRemoveNode',
      'ConfChangeUpdateNode',
      'ConfChangeAddLearnerNode',
    ],
  ],
  node_id: [3, 'uint64'],
  context: [4, 'bytes'],
});

/** Trap: the text form of an entry begins with its term, though the type has the lower number. */
export const ENTRY = messageSchema({
  Term: [2, 'uint64'],
  Index: [3, 'uint64'],
  Type: [1, ['EntryNormal', 'EntryConfChange', 'EntryConfChangeV2']],
  Data: [4, 'bytes'],
});

export const HARD_STATE = messageSchema({
  term: [1, 'uint64'],
  vote: [2, 'uint64'],
  commit: [3, 'uint64'],
});

export const METADATA = messageSchema({ NodeID: [1, 'uint64'], ClusterID: [2, 'uint64'] });

export const SNAPSHOT = messageSchema({
  index: [1, 'uint64'],
  term: [2, 'uint64'],
  conf_state: [3, () => CONF_STATE],
});
