import { EMPTY_BYTES } from '../../base/bytes.js';
import { Event_EventType } from '../gen/mvccpb/kv.js';
import {
  bytesFieldSize,
  bytesFieldsSize,
  optionalBigintFieldSize,
  optionalBytesFieldSize,
  optionalFlagSize,
  optionalNumberFieldSize,
  writeBytesField,
  writeBytesFields,
  writeNumberField,
  writeOptionalBigintField,
  writeOptionalBytesField,
  writeOptionalFlag,
  writeOptionalNumberField,
} from '../wire/fields.js';

/** Field number of the events in a WatchResponse. */
const EVENTS_FIELD = 11;

/** Encodes one mvccpb.Event around KeyValues that are encoded already. */
export function encodeEvent(
  isDelete: boolean,
  keyValue: Uint8Array,
  previous: Uint8Array | undefined,
): Buffer {
  const size =
    optionalFlagSize(isDelete) +
    bytesFieldSize(keyValue.length) +
    (previous === undefined ? 0 : bytesFieldSize(previous.length));
  const buffer = Buffer.allocUnsafe(size);
  let offset = isDelete ? writeNumberField(buffer, 0, 1, Event_EventType.DELETE) : 0;
  offset = writeBytesField(buffer, offset, 2, keyValue);
  if (previous !== undefined) {
    writeBytesField(buffer, offset, 3, previous);
  }
  return buffer;
}

/** Bytes that encoded events take in a WatchResponse. */
export function eventListSize(events: readonly Uint8Array[]): number {
  return bytesFieldsSize(events);
}

/** The events as they stand at the end of a WatchResponse; watchers that see the same share it. */
export function encodeEventList(events: readonly Uint8Array[]): Buffer {
  const buffer = Buffer.allocUnsafe(eventListSize(events));
  writeBytesFields(buffer, 0, EVENTS_FIELD, events);
  return buffer;
}

/** What a WatchResponse says besides header and events; a field left out has its zero value. */
export interface WatchResponseFields {
  readonly watchId: bigint;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
  readonly fragment?: boolean;
}

/** Bytes of the WatchResponse that {@link encodeWatchResponse} would give. */
export function watchResponseSize(
  header: Uint8Array,
  fields: WatchResponseFields,
  eventListBytes: number,
): number {
  return (
    bytesFieldSize(header.length) +
    optionalBigintFieldSize(fields.watchId) +
    optionalFlagSize(fields.created === true) +
    optionalFlagSize(fields.canceled === true) +
    optionalNumberFieldSize(fields.compactRevision ?? 0) +
    optionalBytesFieldSize(Buffer.byteLength(fields.cancelReason ?? '')) +
    optionalFlagSize(fields.fragment === true) +
    eventListBytes
  );
}

/** Encodes a WatchResponse around an encoded header and the result of {@link encodeEventList}. */
export function encodeWatchResponse(
  header: Uint8Array,
  fields: WatchResponseFields,
  eventList: Uint8Array = EMPTY_BYTES,
): Buffer {
  const buffer = Buffer.allocUnsafe(watchResponseSize(header, fields, eventList.length));
  let offset = writeBytesField(buffer, 0, 1, header);
  offset = writeOptionalBigintField(buffer, offset, 2, fields.watchId);
  offset = writeOptionalFlag(buffer, offset, 3, fields.created === true);
  offset = writeOptionalFlag(buffer, offset, 4, fields.canceled === true);
  offset = writeOptionalNumberField(buffer, offset, 5, fields.compactRevision ?? 0);
  if (fields.cancelReason !== undefined) {
    offset = writeOptionalBytesField(buffer, offset, 6, Buffer.from(fields.cancelReason));
  }
  offset = writeOptionalFlag(buffer, offset, 7, fields.fragment === true);
  buffer.set(eventList, offset);
  return buffer;
}
