import Table from 'cli-table3';
import type { SnapshotSummary } from '../../offline/snapshot-status.js';
import type { MemberListResponse } from '../../proto/gen/etcdserverpb/rpc.js';
import {
  type EndpointHashKv,
  type EndpointHealth,
  type EndpointStatus,
  type FileHashKv,
  Printer,
  type SplitOutput,
} from './printer.js';
import {
  FILE_HASH_KV_COLUMNS,
  fileHashKvRow,
  HASH_KV_COLUMNS,
  HEALTH_COLUMNS,
  hashKvRow,
  healthRow,
  MEMBER_COLUMNS,
  memberRow,
  STATUS_COLUMNS,
  snapshotColumns,
  snapshotRow,
  statusRow,
} from './rows.js';

/** Boxes as etcd 3.7 draws them (reference: cli 3.4). Import this file only for `-w table`. */
export class TablePrinter extends Printer {
  override readonly format = 'table';

  override memberList(response: MemberListResponse): Buffer {
    return table(MEMBER_COLUMNS, response.members.map(memberRow));
  }

  override endpointHealth(entries: readonly EndpointHealth[]): SplitOutput {
    return { stdout: table(HEALTH_COLUMNS, entries.map(healthRow)), stderr: Buffer.alloc(0) };
  }

  override endpointStatus(entries: readonly EndpointStatus[]): Buffer {
    return table(STATUS_COLUMNS, entries.map(statusRow));
  }

  override endpointHashKv(entries: readonly EndpointHashKv[]): Buffer {
    return table(HASH_KV_COLUMNS, entries.map(hashKvRow));
  }

  override snapshotStatus(status: SnapshotSummary): Buffer {
    return table(snapshotColumns(status), [snapshotRow(status)]);
  }

  override fileHashKv(hash: FileHashKv): Buffer {
    return table(FILE_HASH_KV_COLUMNS, [fileHashKvRow(hash)]);
  }
}

/**
 * The rows go into one row of many-line cells: cli-table3 draws a line between any two rows, and
 * etcd draws one below the header only.
 */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): Buffer {
  const box = new Table({
    colAligns: columns.map(() => 'right' as const),
    style: { head: [], border: [], 'padding-left': 1, 'padding-right': 1 },
  });
  box.push(columns.map((content) => ({ content, hAlign: 'center' as const })));
  if (rows.length > 0) {
    box.push(columns.map((_, column) => rows.map((row) => row[column] ?? '').join('\n')));
  }
  return Buffer.from(`${box.toString()}\n`);
}
