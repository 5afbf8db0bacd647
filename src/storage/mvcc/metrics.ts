import {
  type Counter,
  type Gauge,
  type Histogram,
  silentCounter,
  silentGauge,
  silentHistogram,
} from '../../base/metrics.js';

/** What the store counts. The owner plugs in etcd's metrics (reference: server, metrics). */
export interface MvccMetrics {
  /** etcd_mvcc_put_total */
  readonly puts: Counter;
  /** etcd_debugging_mvcc_total_put_size_in_bytes */
  readonly putBytes: Counter;
  /** etcd_mvcc_delete_total */
  readonly deletes: Counter;
  /** etcd_debugging_mvcc_keys_total */
  readonly keys: Gauge;
  /** etcd_debugging_mvcc_db_compaction_keys_total */
  readonly compactedRows: Counter;
  /** etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds: work on one batch. */
  readonly compactionPauseMillis: Histogram;
  /** etcd_debugging_mvcc_db_compaction_total_duration_milliseconds */
  readonly compactionTotalMillis: Histogram;
  /** etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds */
  readonly indexCompactionMillis: Histogram;
}

export const silentMvccMetrics: MvccMetrics = {
  puts: silentCounter,
  putBytes: silentCounter,
  deletes: silentCounter,
  keys: silentGauge,
  compactedRows: silentCounter,
  compactionPauseMillis: silentHistogram,
  compactionTotalMillis: silentHistogram,
  indexCompactionMillis: silentHistogram,
};
