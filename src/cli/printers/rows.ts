import { humanizeBytes } from '../../base/go-format.js';
import type { SnapshotSummary } from '../../offline/snapshot-status.js';
import type { Member } from '../../proto/gen/etcdserverpb/rpc.js';
import { hexId } from './go-text.js';
import type { EndpointHashKv, EndpointHealth, EndpointStatus, FileHashKv } from './printer.js';

/** Columns that the simple and the table form share (reference: cli 3.4). */
export const MEMBER_COLUMNS = [
  'ID',
  'STATUS',
  'NAME',
  'PEER ADDRS',
  'CLIENT ADDRS',
  'IS LEARNER',
] as const;

export function memberRow(member: Member): string[] {
  return [
    hexId(member.ID),
    member.name === '' ? 'unstarted' : 'started',
    member.name,
    member.peerURLs.join(','),
    member.clientURLs.join(','),
    String(member.isLearner),
  ];
}

export const HEALTH_COLUMNS = ['ENDPOINT', 'HEALTH', 'TOOK', 'ERROR'] as const;

export function healthRow(entry: EndpointHealth): string[] {
  return [entry.endpoint, String(entry.health), entry.took, entry.error];
}

export const STATUS_COLUMNS = [
  'ENDPOINT',
  'ID',
  'VERSION',
  'STORAGE VERSION',
  'DB SIZE',
  'IN USE',
  'PERCENTAGE NOT IN USE',
  'QUOTA',
  'IS LEADER',
  'IS LEARNER',
  'RAFT TERM',
  'RAFT INDEX',
  'RAFT APPLIED INDEX',
  'ERRORS',
  'DOWNGRADE TARGET VERSION',
  'DOWNGRADE ENABLED',
] as const;

export function statusRow({ endpoint, status }: EndpointStatus): string[] {
  const id = status.header?.memberId ?? 0n;
  return [
    endpoint,
    hexId(id),
    status.version,
    status.storageVersion,
    humanizeBytes(status.dbSize),
    humanizeBytes(status.dbSizeInUse),
    percentageNotInUse(status.dbSize, status.dbSizeInUse),
    humanizeBytes(status.dbSizeQuota),
    String(status.leader === id),
    String(status.isLearner),
    String(status.raftTerm),
    String(status.raftIndex),
    String(status.raftAppliedIndex),
    status.errors.join(', '),
    status.downgradeInfo?.targetVersion ?? '',
    String(status.downgradeInfo?.enabled ?? false),
  ];
}

/** Trap: with a size of 0 real etcdctl divides by zero (reference: cli 5.3). */
function percentageNotInUse(size: number, inUse: number): string {
  return size === 0 ? '0%' : `${100 - Math.trunc((inUse * 100) / size)}%`;
}

export const HASH_KV_COLUMNS = ['ENDPOINT', 'HASH', 'HASH REVISION'] as const;

export function hashKvRow({ endpoint, hashKv }: EndpointHashKv): string[] {
  return [endpoint, String(hashKv.hash), String(hashKv.hashRevision)];
}

const SNAPSHOT_COLUMNS = ['HASH', 'REVISION', 'TOTAL KEYS', 'TOTAL SIZE'] as const;

export function snapshotColumns({ version }: SnapshotSummary): readonly string[] {
  return version === undefined ? SNAPSHOT_COLUMNS : [...SNAPSHOT_COLUMNS, 'VERSION'];
}

/** Trap: the hash is hexadecimal here and decimal in JSON and fields (reference: cli 10.1). */
export function snapshotRow(status: SnapshotSummary): string[] {
  return [
    status.hash.toString(16),
    String(status.revision),
    String(status.totalKey),
    humanizeBytes(status.totalSize),
    ...(status.version === undefined ? [] : [status.version]),
  ];
}

export const FILE_HASH_KV_COLUMNS = ['HASH', 'HASH REVISION', 'COMPACT REVISION'] as const;

export function fileHashKvRow(hash: FileHashKv): string[] {
  return [String(hash.hash), String(hash.hashRevision), String(hash.compactRevision)];
}
