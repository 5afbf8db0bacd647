import { EMPTY_BYTES } from '../../base/bytes.js';
import * as wire from '../../proto/gen/raftpb/raft.js';
import { ConfChangeError } from '../errors.js';
import { type Entry, EntryType, NONE } from '../types.js';
import {
  type AnyConfChange,
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
  isConfChangeV2,
} from './conf-change.js';

const TYPES: ReadonlySet<number> = new Set(Object.values(ConfChangeType));
const TRANSITIONS: ReadonlySet<number> = new Set(Object.values(ConfChangeTransition));

/**
 * The payload of a change and the entry type that carries it. Scalars are always written, as
 * etcd 3.4 to 3.6 do (reference: raft A3).
 */
export function encodeConfChange(change: AnyConfChange): { type: EntryType; data: Buffer } {
  const context = change.context.length > 0 ? change.context : undefined;
  return isConfChangeV2(change)
    ? {
        type: EntryType.ConfChangeV2,
        data: wire.ConfChangeV2.encode({
          transition: change.transition,
          changes: [...change.changes],
          context,
        }).finish(),
      }
    : {
        type: EntryType.ConfChange,
        data: wire.ConfChange.encode({
          id: change.id,
          type: change.type,
          nodeId: change.nodeId,
          context,
        }).finish(),
      };
}

/**
 * The change that an entry carries. Empty data of an EntryConfChangeV2 leaves the joint
 * configuration.
 * @throws {DecodeError} if the payload is malformed.
 * @throws {ConfChangeError} if it names a type or a transition that does not exist.
 */
export function decodeConfChange(entry: Pick<Entry, 'type' | 'data'>): AnyConfChange {
  return entry.type === EntryType.ConfChangeV2 ? decodeV2(entry.data) : decodeV1(entry.data);
}

function single(change: wire.ConfChangeSingle): ConfChangeSingle {
  const type = change.type ?? ConfChangeType.AddNode;
  if (!TYPES.has(type)) throw new ConfChangeError(`unexpected conf type ${type}`);
  return { type, nodeId: change.nodeId ?? NONE };
}

function decodeV1(data: Buffer): ConfChange {
  const change = wire.ConfChange.decode(data);
  return { ...single(change), id: change.id ?? 0n, context: change.context ?? EMPTY_BYTES };
}

function decodeV2(data: Buffer): ConfChangeV2 {
  const change = wire.ConfChangeV2.decode(data);
  const transition = change.transition ?? ConfChangeTransition.Auto;
  if (!TRANSITIONS.has(transition)) {
    throw new ConfChangeError(`unexpected conf change transition ${transition}`);
  }
  return {
    transition,
    changes: change.changes.map(single),
    context: change.context ?? EMPTY_BYTES,
  };
}
