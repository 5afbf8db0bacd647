import { EMPTY_BYTES } from '../../base/bytes.js';
import {
  optionalBigintFieldSize,
  optionalBytesFieldSize,
  optionalNumberFieldSize,
  writeOptionalBigintField,
  writeOptionalBytesField,
  writeOptionalNumberField,
} from '../wire/fields.js';
import type { MessageCodec } from '../wire/message.js';
import { BinaryReader } from '../wire/reader.js';
import { varintSize, writeVarint } from '../wire/varint.js';

/** Field numbers of etcdserverpb.InternalRaftRequest (reference: api 3.1). */
const FIELDS = {
  /** A request to the v2 store; 3.7 no longer knows it. */
  v2: 2,
  range: 3,
  put: 4,
  deleteRange: 5,
  txn: 6,
  compaction: 7,
  leaseGrant: 8,
  leaseRevoke: 9,
  alarm: 10,
  leaseCheckpoint: 11,
  authEnable: 1000,
  authDisable: 1011,
  authenticate: 1012,
  authStatus: 1013,
  authUserAdd: 1100,
  authUserDelete: 1101,
  authUserGet: 1102,
  authUserChangePassword: 1103,
  authUserGrantRole: 1104,
  authUserRevokeRole: 1105,
  authUserList: 1106,
  authRoleList: 1107,
  authRoleAdd: 1200,
  authRoleDelete: 1201,
  authRoleGet: 1202,
  authRoleGrantPermission: 1203,
  authRoleRevokePermission: 1204,
  clusterVersionSet: 1300,
  clusterMemberAttrSet: 1301,
  downgradeInfoSet: 1302,
  downgradeVersionTest: 9900,
} as const;

const ID_FIELD = 1;
const HEADER_FIELD = 100;

/** Which request an entry of the log holds. */
export type InternalRequestKind = keyof typeof FIELDS;

const KIND_BY_FIELD: ReadonlyMap<number, InternalRequestKind> = new Map(
  Object.entries(FIELDS).map(([kind, field]) => [field, kind as InternalRequestKind]),
);

/** Who proposed a request, and the number its answer is awaited under. */
export interface InternalRequestHeader {
  readonly id: bigint;
  /** Empty without authentication. */
  readonly username: string;
  readonly authRevision: number;
}

function tagOf(field: number): number {
  return (field << 3) | 2;
}

/**
 * Encodes an InternalRaftRequest around the bytes of the request as the client sent them, so that
 * nothing the client said is lost and nothing is encoded twice. Bytes from a client must have gone
 * through {@link decodeProposal}.
 */
export function encodeInternalRequest(
  header: InternalRequestHeader,
  kind: InternalRequestKind,
  request: Uint8Array,
): Buffer {
  const username = header.username === '' ? EMPTY_BYTES : Buffer.from(header.username);
  const headerSize =
    optionalBigintFieldSize(header.id) +
    optionalBytesFieldSize(username.length) +
    optionalNumberFieldSize(header.authRevision);
  const field = FIELDS[kind];
  const buffer = Buffer.allocUnsafe(
    fieldSize(HEADER_FIELD, headerSize) + fieldSize(field, request.length),
  );
  // Fields go in ascending order, as all encoders of protobuf write them.
  let offset = field < HEADER_FIELD ? writeRequest(buffer, 0, field, request) : 0;
  offset = writeVarint(buffer, offset, tagOf(HEADER_FIELD));
  offset = writeVarint(buffer, offset, headerSize);
  offset = writeOptionalBigintField(buffer, offset, 1, header.id);
  offset = writeOptionalBytesField(buffer, offset, 2, username);
  offset = writeOptionalNumberField(buffer, offset, 3, header.authRevision);
  if (field > HEADER_FIELD) {
    writeRequest(buffer, offset, field, request);
  }
  return buffer;
}

function fieldSize(field: number, length: number): number {
  return varintSize(tagOf(field)) + varintSize(length) + length;
}

function writeRequest(buffer: Buffer, start: number, field: number, request: Uint8Array): number {
  let offset = writeVarint(buffer, start, tagOf(field));
  offset = writeVarint(buffer, offset, request.length);
  buffer.set(request, offset);
  return offset + request.length;
}

/** A request from a client: decoded, and as the log may hold it. */
export interface Proposal<T> {
  readonly message: T;
  readonly bytes: Uint8Array;
}

/**
 * Decodes a request that is going to be proposed. `bytes` is the input itself, save when a client
 * wrote an empty field that canonical encoders leave out; then the request is encoded anew.
 *
 * Trap: members up to 3.6 take a range_end that is written but empty for "all keys from key on",
 * where 3.7 sees a single key (reference: api 4.1). Logged as it came, such a delete would remove
 * different keys on members of different versions.
 *
 * @throws DecodeError
 */
export function decodeProposal<T>(codec: MessageCodec<T>, bytes: Uint8Array): Proposal<T> {
  const reader = new BinaryReader(bytes);
  const message = codec.decode(reader);
  return { message, bytes: reader.sawEmptyBytes ? codec.encode(message).finish() : bytes };
}

/** An InternalRaftRequest whose request is still encoded. */
export interface InternalRequest {
  /** The id its answer is awaited under: the legacy ID if set, else that of the header. */
  readonly id: bigint;
  readonly header: InternalRequestHeader | undefined;
  /** Undefined if the entry holds no request this version knows. */
  readonly kind: InternalRequestKind | undefined;
  /** The encoded request, aliasing the input. */
  readonly request: Buffer;
}

/**
 * Decodes the frame of an InternalRaftRequest, not the request in it.
 *
 * Trap: logs of 3.4 and 3.5 also hold bare v2 requests, which are told apart only by their failing
 * here (reference: api 3.4). So a known field of another wire type is a fault, where protobuf would
 * skip it as unknown: every v2 request has such a field, for it always writes its flag `Dir` where
 * `delete_range` should be. Two requests in one entry are a fault as well.
 *
 * @throws DecodeError
 */
export function decodeInternalRaftRequest(bytes: Uint8Array): InternalRequest {
  const reader = new BinaryReader(bytes);
  let legacyId = 0n;
  let header: InternalRequestHeader | undefined;
  let kind: InternalRequestKind | undefined;
  let request = EMPTY_BYTES;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    const field = tag >>> 3;
    const found = KIND_BY_FIELD.get(field);
    if (found !== undefined) {
      requireTag(reader, tag, tagOf(field));
      if (kind !== undefined) {
        throw reader.fail('two requests in one internal raft request');
      }
      kind = found;
      request = reader.bytes();
    } else if (field === HEADER_FIELD) {
      requireTag(reader, tag, tagOf(HEADER_FIELD));
      header = decodeHeader(reader);
    } else if (field === ID_FIELD) {
      requireTag(reader, tag, ID_FIELD << 3);
      legacyId = reader.uint64();
    } else {
      reader.skip(tag);
    }
  }
  return { id: legacyId === 0n ? (header?.id ?? 0n) : legacyId, header, kind, request };
}

function decodeHeader(reader: BinaryReader): InternalRequestHeader {
  let id = 0n;
  let username = '';
  let authRevision = 0;
  const outerEnd = reader.len;
  const end = reader.enter(reader.lengthPrefix());
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        id = reader.uint64();
        break;
      case 0x12:
        username = reader.string();
        break;
      case 0x18:
        authRevision = reader.uint64Saturated();
        break;
      default:
        reader.skip(tag);
    }
  }
  reader.leave(outerEnd);
  return { id, username, authRevision };
}

function requireTag(reader: BinaryReader, tag: number, expected: number): void {
  if (tag !== expected) {
    throw reader.fail(`wire type ${tag & 7} in field ${tag >>> 3} of an internal raft request`);
  }
}
