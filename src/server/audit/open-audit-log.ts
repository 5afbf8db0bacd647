import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { type AuditConfig, STDOUT } from '../config/audit-config.js';
import type { RpcMethod } from '../rpc/transport.js';
import { openAuditFile } from './audit-file.js';
import { auditedMethods } from './audit-log.js';
import { type AuditMetrics, AuditQueue, type AuditSink } from './audit-queue.js';
import { AuditThread } from './audit-thread.js';
import { BatchClock } from './batch-clock.js';
import { type AuditOutput, LineWriter } from './line-writer.js';

export interface AuditLogOptions {
  readonly config: AuditConfig;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: AuditMetrics;
  /** The program of a thread that writes the file; undefined: it is written on this one. */
  readonly thread: URL | undefined;
  /** Absent: there is none. */
  readonly stdout: ((text: string) => void) | undefined;
  /** How long a request waits for the audit log, ms. */
  readonly timeoutMillis: number;
}

/** An audit log that is open. */
export interface AuditLog {
  /** The same methods, each with a line for every request. */
  track(methods: readonly RpcMethod[]): RpcMethod[];
  /** Writes what is left. */
  close(): Promise<void>;
}

/**
 * Opens the audit log, if there is one.
 * @throws Error if the file cannot be opened
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog | undefined> {
  const { config, clock, logger, metrics, timeoutMillis } = options;
  if (config.output === undefined) return undefined;
  const sink = await openSink(config.output, options);
  logger.info('writing an audit log', {
    output: config.output,
    'own-thread': sink instanceof AuditThread,
  });
  const queue = new AuditQueue({ sink, clock, logger, metrics, timeoutMillis });
  const batchClock = new BatchClock(clock);
  return {
    track: (methods) => auditedMethods(methods, { queue, clock: batchClock, reads: config.reads }),
    close: () => queue.close(),
  };
}

async function openSink(
  path: string,
  { config, fs, clock, logger, stdout, thread }: AuditLogOptions,
): Promise<AuditSink> {
  if (path === STDOUT) {
    if (stdout === undefined) throw new Error('there is no standard output for the audit log');
    return new LineWriter(standardOutput(stdout));
  }
  const { rotation } = config;
  try {
    if (thread !== undefined) {
      return await AuditThread.open({ program: thread, settings: { path, rotation }, logger });
    }
    const file = await openAuditFile({ path, rotation, fs, clock, logger });
    return new LineWriter(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot open the audit log: ${reason}`);
  }
}

function standardOutput(stdout: (text: string) => void): AuditOutput {
  return {
    async append(text) {
      stdout(text.toString());
      return text.length;
    },
    async close() {},
  };
}
