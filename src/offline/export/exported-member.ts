import type { Logger } from '../../base/logger.js';
import type { Fs } from '../../platform/fs.js';
import { DecodeError } from '../../proto/decode-error.js';
import { EntryType } from '../../proto/gen/raftpb/raft.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import {
  decodeInternalRaftRequest,
  type InternalRequestKind,
} from '../../proto/hot/internal-request.js';
import type { BackendSnapshot } from '../../storage/backend/backend.js';
import type { ConfState } from '../../storage/conf-state.js';
import type { V2Member, V2Membership } from '../../storage/snap/v2-store-json.js';
import { readWal, validSnapshots, WAL_BEGINNING } from '../../storage/wal/reader.js';
import type { HardState } from '../../storage/wal/record-types.js';
import { ExportError } from './export-error.js';

/** A member as a log of its own begins: with a snapshot of what its database holds. */
export interface ExportedMember {
  /** The content of the metadata records: whose log it is. */
  readonly metadata: Buffer;
  /** The last entry that is in the database. */
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly membership: V2Membership;
  readonly hardState: HardState;
  /** The entries that the database lacks. */
  readonly entries: readonly EntryFields[];
}

export interface MemberSource {
  readonly fs: Fs;
  readonly logger: Logger;
  readonly walDirectory: string;
  /** The database. */
  readonly snapshot: BackendSnapshot;
  /** Parses a row of the bucket `members`. */
  readonly decodeMember: (text: string) => V2Member;
}

/**
 * Reads from log and database what an exported member is made of. The log is not repaired: what
 * stands behind a torn record was never promised to anybody.
 * @throws ExportError, WalError
 */
export async function readExportedMember(source: MemberSource): Promise<ExportedMember> {
  const { fs, logger, walDirectory, snapshot } = source;
  const start = (await validSnapshots(fs, walDirectory, { logger })).at(-1) ?? WAL_BEGINNING;
  const log = await readWal(fs, walDirectory, start, { logger });
  const index = readNumber(snapshot.get('meta', Buffer.from('consistent_index')));
  const members = membersOf(source);
  if (index === 0 || log.hardState === undefined) {
    throw new ExportError(`nothing was applied to the database yet; ${CATCH_UP}`);
  }
  if (index < start.index || (index > log.tail.lastIndex && members.length < 2)) {
    throw new ExportError(
      `the database (index ${index}) does not fit the log (index ${start.index} to ${log.tail.lastIndex})`,
    );
  }
  const applied = log.entries[index - start.index - 1];
  const term =
    applied?.term ??
    (index === start.index ? start.term : readNumber(snapshot.get('meta', Buffer.from('term'))));
  const entries = log.entries.slice(Math.max(0, index - start.index));
  for (const entry of entries) requirePortable(entry);
  const { commit } = log.hardState;
  return {
    metadata: log.metadata,
    index,
    term,
    confState: confStateOf(members),
    // Trap: an etcd ends at once if the cluster runs a higher version than its own. Without one the
    // members agree on theirs.
    membership: { members, removed: removedIds(snapshot), clusterVersion: undefined },
    hardState: { ...log.hardState, commit: Math.max(commit, index) },
    entries,
  };
}

const CATCH_UP = 'start the server once, stop it, and export again';

/** Requests that not every release from 3.4 to 3.7 takes (reference: raft-and-peers B5). */
const NOT_PORTABLE: ReadonlySet<InternalRequestKind> = new Set([
  'v2',
  'authStatus',
  'clusterVersionSet',
  'clusterMemberAttrSet',
  'downgradeInfoSet',
  'downgradeVersionTest',
]);

/** @throws ExportError */
function requirePortable({ index, type, data }: EntryFields): void {
  if (type !== EntryType.EntryNormal || data.length === 0) return;
  let kind: InternalRequestKind | undefined;
  try {
    kind = decodeInternalRaftRequest(data).kind;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    kind = 'v2';
  }
  if (kind !== undefined && !NOT_PORTABLE.has(kind)) return;
  throw new ExportError(
    `the log entry ${index} (${kind ?? 'unknown'}) is not in the database yet, and not every etcd can read it; ${CATCH_UP}`,
  );
}

function membersOf({ snapshot, decodeMember }: MemberSource): V2Member[] {
  const rows = [...snapshot.range('members', LOWEST_KEY)];
  return rows
    .map(([, value]) => decodeMember(value.toString()))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function removedIds(snapshot: BackendSnapshot): bigint[] {
  const rows = [...snapshot.range('members_removed', LOWEST_KEY)];
  return rows.map(([key]) => BigInt(`0x${key.toString('latin1')}`));
}

const LOWEST_KEY = Buffer.alloc(1);

function confStateOf(members: readonly V2Member[]): ConfState {
  const idsOf = (areLearners: boolean) =>
    members.filter(({ isLearner }) => isLearner === areLearners).map(({ id }) => id);
  return {
    voters: idsOf(false),
    learners: idsOf(true),
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}

function readNumber(bytes: Buffer | undefined): number {
  return bytes === undefined ? 0 : Number(bytes.readBigUInt64BE(0));
}
