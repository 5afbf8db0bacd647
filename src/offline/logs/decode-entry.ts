import { DecodeError } from '../../proto/decode-error.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import {
  type DecodedMessage,
  decodeMessage,
  type MessageSchema,
  messageOf,
} from './message-schema.js';
import { CONF_CHANGE, INTERNAL_RAFT_REQUEST, V2_REQUEST } from './request-schemas.js';

/** What an entry of the log holds. */
export type EntryContent =
  | { readonly kind: 'request'; readonly request: DecodedMessage }
  /** A bare request to the v2 store. */
  | { readonly kind: 'v2'; readonly request: DecodedMessage }
  | { readonly kind: 'unknown' }
  /** `change` is undefined if it can't be decoded. */
  | { readonly kind: 'conf'; readonly change: DecodedMessage | undefined }
  /** A change of several members at once. No etcd proposes them. */
  | { readonly kind: 'conf2' };

/** Decodes the data of an entry; what nobody understands is `unknown`. */
export function decodeEntryContent({ type, data }: EntryFields): EntryContent {
  if (type === 1) return { kind: 'conf', change: tryDecode(CONF_CHANGE, data) };
  if (type === 2) return { kind: 'conf2' };
  const request = tryDecode(INTERNAL_RAFT_REQUEST, data);
  if (request !== undefined) return { kind: 'request', request };
  const stored = tryDecode(V2_REQUEST, data);
  return stored === undefined ? { kind: 'unknown' } : { kind: 'v2', request: stored };
}

function tryDecode(schema: MessageSchema, bytes: Uint8Array): DecodedMessage | undefined {
  try {
    return decodeMessage(schema, bytes);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Names of what can be asked of etcd in an entry, by field of the request, as in the layout. */
const REQUEST_FIELDS: ReadonlyMap<string, string> = new Map([
  ['IRRRange', 'range'],
  ['IRRPut', 'put'],
  ['IRRDeleteRange', 'delete_range'],
  ['IRRTxn', 'txn'],
  ['IRRCompaction', 'compaction'],
  ['IRRLeaseGrant', 'lease_grant'],
  ['IRRLeaseRevoke', 'lease_revoke'],
  ['IRRLeaseCheckpoint', 'lease_checkpoint'],
]);

/** The names that {@link EntryFilter} knows, in the order in which etcd-dump-logs lists them. */
export const ENTRY_TYPES: readonly string[] = [
  'ConfigChange',
  'Normal',
  'Request',
  'InternalRaftRequest',
  ...REQUEST_FIELDS.keys(),
];

export type EntryFilter = (content: EntryContent) => boolean;

/** Whether an entry is of one of the types; names that are not of {@link ENTRY_TYPES} match none. */
export function entryFilter(types: readonly string[]): EntryFilter {
  return (content) => types.some((type) => isOfType(content, type));
}

function isOfType(content: EntryContent, type: string): boolean {
  const { kind } = content;
  switch (type) {
    case 'ConfigChange':
      return kind === 'conf';
    case 'Normal':
      return kind === 'request' || kind === 'v2' || kind === 'unknown';
    case 'Request':
      return kind === 'v2';
    case 'InternalRaftRequest':
      return kind === 'request';
    default: {
      const field = REQUEST_FIELDS.get(type);
      if (field === undefined || kind !== 'request') return false;
      return messageOf(content.request, field) !== undefined;
    }
  }
}
