import { EMPTY_BYTES } from '../../base/bytes.js';
import { Snapshot as WireSnapshot } from '../../proto/gen/raftpb/raft.js';
import { decodeEntry, encodeEntryInto, entryEncodedSize } from '../../proto/hot/entry.js';
import {
  bytesFieldSize,
  optionalBigintFieldSize,
  optionalBytesFieldSize,
  optionalFlagSize,
  optionalNumberFieldSize,
  writeBytesField,
  writeLengthPrefix,
  writeOptionalBigintField,
  writeOptionalBytesField,
  writeOptionalFlag,
  writeOptionalNumberField,
} from '../../proto/wire/fields.js';
import { BinaryReader } from '../../proto/wire/reader.js';
import {
  EMPTY_CONF_STATE,
  type Entry,
  type Message,
  NO_ENTRIES,
  NONE,
  newMessage,
  type Snapshot,
} from '../../raft/types.js';
import { confStateFromWire, confStateToWire } from '../../storage/conf-state.js';

/*
 * raftpb.Message. Zero fields are left out, as etcd 3.7 does it; 3.4 to 3.6 write them all, and an
 * empty snapshot besides. Every version reads both.
 * Trap: sizes differ by version, so nothing that the whole cluster decides may depend on them.
 * Source: reference, raft-and-peers A3.
 */

/** Bytes that {@link encodeMessageInto} writes; `snapshot` is what {@link encodeSnapshot} gave. */
export function messageEncodedSize(message: Message, snapshot?: Buffer): number {
  return (
    optionalNumberFieldSize(message.type) +
    optionalBigintFieldSize(message.to) +
    optionalBigintFieldSize(message.from) +
    optionalNumberFieldSize(message.term) +
    optionalNumberFieldSize(message.logTerm) +
    optionalNumberFieldSize(message.index) +
    entriesSize(message.entries) +
    optionalNumberFieldSize(message.commit) +
    (snapshot === undefined ? 0 : bytesFieldSize(snapshot.length)) +
    optionalFlagSize(message.reject) +
    optionalNumberFieldSize(message.rejectHint) +
    optionalBytesFieldSize(message.context.length) +
    optionalBigintFieldSize(message.vote)
  );
}

function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += bytesFieldSize(entryEncodedSize(entry));
  return size;
}

/** Writes a message at `start`, where there must be room; returns the offset behind it. */
export function encodeMessageInto(
  buffer: Uint8Array,
  start: number,
  message: Message,
  snapshot?: Buffer,
): number {
  let offset = writeOptionalNumberField(buffer, start, 1, message.type);
  offset = writeOptionalBigintField(buffer, offset, 2, message.to);
  offset = writeOptionalBigintField(buffer, offset, 3, message.from);
  offset = writeOptionalNumberField(buffer, offset, 4, message.term);
  offset = writeOptionalNumberField(buffer, offset, 5, message.logTerm);
  offset = writeOptionalNumberField(buffer, offset, 6, message.index);
  for (const entry of message.entries) {
    offset = writeLengthPrefix(buffer, offset, 7, entryEncodedSize(entry));
    offset = encodeEntryInto(buffer, offset, entry);
  }
  offset = writeOptionalNumberField(buffer, offset, 8, message.commit);
  if (snapshot !== undefined) offset = writeBytesField(buffer, offset, 9, snapshot);
  offset = writeOptionalFlag(buffer, offset, 10, message.reject);
  offset = writeOptionalNumberField(buffer, offset, 11, message.rejectHint);
  offset = writeOptionalBytesField(buffer, offset, 12, message.context);
  return writeOptionalBigintField(buffer, offset, 13, message.vote);
}

export function encodeMessage(message: Message): Buffer {
  const snapshot = encodeSnapshot(message);
  const buffer = Buffer.allocUnsafe(messageEncodedSize(message, snapshot));
  encodeMessageInto(buffer, 0, message, snapshot);
  return buffer;
}

/**
 * The snapshot of a message, encoded.
 * Trap: receivers dereference metadata and conf_state without a look; both are always there.
 */
export function encodeSnapshot({ snapshot }: Message): Buffer | undefined {
  if (snapshot === undefined) return undefined;
  const { data, index, term, confState } = snapshot;
  const metadata = { confState: confStateToWire(confState), index, term };
  return WireSnapshot.encode({ data: data.length === 0 ? undefined : data, metadata }).finish();
}

/**
 * Decodes a message; entries, context and snapshot data alias `bytes`. Types that we don't know
 * pass; it is for the receiver to drop them.
 * @throws DecodeError
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes);
  const message = newMessage(0, NONE);
  const entries: Entry[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag === 0x3a) entries.push(decodeEntry(reader.bytes()));
    else decodeField(reader, tag, message);
  }
  message.entries = entries.length === 0 ? NO_ENTRIES : entries;
  return message;
}

function decodeField(reader: BinaryReader, tag: number, message: Message): void {
  switch (tag) {
    case 0x08:
      message.type = reader.enumeration();
      break;
    case 0x10:
      message.to = reader.uint64();
      break;
    case 0x18:
      message.from = reader.uint64();
      break;
    case 0x20:
      message.term = reader.uint64Safe();
      break;
    case 0x28:
      message.logTerm = reader.uint64Safe();
      break;
    case 0x30:
      message.index = reader.uint64Safe();
      break;
    case 0x40:
      message.commit = reader.uint64Safe();
      break;
    case 0x4a:
      message.snapshot = decodeSnapshot(reader.bytes());
      break;
    case 0x50:
      message.reject = reader.bool();
      break;
    case 0x58:
      message.rejectHint = reader.uint64Safe();
      break;
    case 0x62:
      message.context = reader.bytes();
      break;
    case 0x68:
      message.vote = reader.uint64();
      break;
    default:
      reader.skip(tag);
  }
}

/** Trap: up to 3.5 every message carries a snapshot; an empty one is none. */
function decodeSnapshot(bytes: Buffer): Snapshot | undefined {
  const { data = EMPTY_BYTES, metadata } = WireSnapshot.decode(bytes);
  const { index = 0, term = 0, confState } = metadata ?? {};
  if (index === 0 && data.length === 0) return undefined;
  const state = confState === undefined ? EMPTY_CONF_STATE : confStateFromWire(confState);
  return { data, index, term, confState: state };
}
