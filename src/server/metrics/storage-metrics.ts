import { DISK_SECONDS, exponentialBounds } from './instruments.js';
import type { MetricRegistry } from './registry.js';

export function walMetrics(registry: MetricRegistry) {
  return {
    syncSeconds: registry.histogram(
      'etcd_disk_wal_fsync_duration_seconds',
      'The latency distributions of fsync called by WAL.',
      DISK_SECONDS,
    ),
    writeSeconds: registry.histogram(
      'etcd_disk_wal_write_duration_seconds',
      'The latency distributions of write called by WAL.',
      DISK_SECONDS,
    ),
    writtenBytes: registry.gauge(
      'etcd_disk_wal_write_bytes_total',
      'Total number of bytes written in WAL.',
    ),
  };
}

export function snapMetrics(registry: MetricRegistry) {
  return {
    syncSeconds: registry.histogram(
      'etcd_snap_fsync_duration_seconds',
      'The latency distributions of fsync called by snap.',
      DISK_SECONDS,
    ),
    dbSyncSeconds: registry.histogram(
      'etcd_snap_db_fsync_duration_seconds',
      'The latency distributions of fsyncing .snap.db file',
      DISK_SECONDS,
    ),
    dbSaveSeconds: registry.histogram(
      'etcd_snap_db_save_total_duration_seconds',
      'The total latency distributions of v3 snapshot save',
      exponentialBounds(0.1, 10),
    ),
    encodeSeconds: registry.histogram(
      'etcd_debugging_snap_save_marshalling_duration_seconds',
      'The marshalling cost distributions of save called by snapshot.',
      DISK_SECONDS,
    ),
    saveSeconds: registry.histogram(
      'etcd_debugging_snap_save_total_duration_seconds',
      'The total latency distributions of save called by snapshot.',
      DISK_SECONDS,
    ),
  };
}

export function backendMetrics(registry: MetricRegistry) {
  const phase = (name: string) =>
    registry.histogram(
      `etcd_debugging_disk_backend_commit_${name}_duration_seconds`,
      `The latency distributions of commit.${name} called by bboltdb backend.`,
      DISK_SECONDS,
    );
  phase('rebalance');
  phase('spill');
  phase('write');
  return {
    commitSeconds: registry.histogram(
      'etcd_disk_backend_commit_duration_seconds',
      'The latency distributions of commit called by backend.',
      DISK_SECONDS,
    ),
    defragmentSeconds: registry.histogram(
      'etcd_disk_backend_defrag_duration_seconds',
      'The latency distribution of backend defragmentation.',
      exponentialBounds(0.1, 13),
    ),
    snapshotSeconds: registry.histogram(
      'etcd_disk_backend_snapshot_duration_seconds',
      'The latency distribution of backend snapshots.',
      exponentialBounds(0.01, 17),
    ),
    defragmenting: registry.gauge(
      'etcd_disk_defrag_inflight',
      'Whether or not defrag is active on the member. 1 means active, 0 means not.',
    ),
    allocatedBytes: registry.gauge(
      'etcd_mvcc_db_total_size_in_bytes',
      'Total size of the underlying database physically allocated in bytes.',
    ),
    inUseBytes: registry.gauge(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Total size of the underlying database logically in use in bytes.',
    ),
    openReadTransactions: registry.gauge(
      'etcd_mvcc_db_open_read_transactions',
      'The number of currently open read transactions',
    ),
  };
}

export function mvccMetrics(registry: MetricRegistry) {
  return {
    ...mvccOperations(registry),
    ...compactionMetrics(registry),
    hashSeconds: registry.histogram(
      'etcd_mvcc_hash_duration_seconds',
      'The latency distribution of storage hash operation.',
      exponentialBounds(0.01, 15),
    ),
    hashRevisionSeconds: registry.histogram(
      'etcd_mvcc_hash_rev_duration_seconds',
      'The latency distribution of storage hash by revision operation.',
      exponentialBounds(0.01, 15),
    ),
    currentRevision: registry.gauge(
      'etcd_debugging_mvcc_current_revision',
      'The current revision of store.',
    ),
  };
}

function mvccOperations(registry: MetricRegistry) {
  return {
    ranges: registry.counter(
      'etcd_mvcc_range_total',
      'Total number of ranges seen by this member.',
    ),
    puts: registry.counter('etcd_mvcc_put_total', 'Total number of puts seen by this member.'),
    deletes: registry.counter(
      'etcd_mvcc_delete_total',
      'Total number of deletes seen by this member.',
    ),
    transactions: registry.counter(
      'etcd_mvcc_txn_total',
      'Total number of txns seen by this member.',
    ),
    keys: registry.gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys.'),
    // A gauge in etcd, although it only grows.
    putBytes: registry.gauge(
      'etcd_debugging_mvcc_total_put_size_in_bytes',
      'The total size of put kv pairs seen by this member.',
    ),
  };
}

function compactionMetrics(registry: MetricRegistry) {
  return {
    compactRevision: registry.gauge(
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
    ),
    lastCompactionUnixSeconds: registry.gauge(
      'etcd_debugging_mvcc_db_compaction_last',
      'The unix time of the last db compaction. Resets to 0 on start.',
    ),
    compactedRows: registry.counter(
      'etcd_debugging_mvcc_db_compaction_keys_total',
      'Total number of db keys compacted.',
    ),
    compactionPauseMillis: registry.histogram(
      'etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds',
      'Bucketed histogram of db compaction pause duration.',
      exponentialBounds(1, 13),
    ),
    compactionTotalMillis: registry.histogram(
      'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds',
      'Bucketed histogram of db compaction total duration.',
      exponentialBounds(100, 14),
    ),
    indexCompactionMillis: registry.histogram(
      'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds',
      'Bucketed histogram of index compaction pause duration.',
      exponentialBounds(0.5, 14),
    ),
  };
}
