import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { type AuditConfig, STDOUT } from '../config/audit-config.js';
import { RotatingFile } from '../logging/rotating-file.js';
import type { RpcMethod } from '../rpc/transport.js';
import { auditedMethods } from './audit-log.js';
import { type AuditMetrics, type AuditOutput, AuditQueue } from './audit-queue.js';

/** The log tells who read and wrote what, so it is nobody else's business. */
const FILE_MODE = 0o600;

export interface AuditLogOptions {
  readonly config: AuditConfig;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: AuditMetrics;
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
  const output = await openOutput(config.output, options);
  const queue = new AuditQueue({ output, clock, logger, metrics, timeoutMillis });
  return {
    track: (methods) => auditedMethods(methods, { queue, clock, reads: config.reads }),
    close: () => queue.close(),
  };
}

async function openOutput(
  path: string,
  { config, fs, clock, logger, stdout }: AuditLogOptions,
): Promise<AuditOutput> {
  if (path === STDOUT) {
    if (stdout === undefined) throw new Error('there is no standard output for the audit log');
    return standardOutput(stdout);
  }
  try {
    const { rotation } = config;
    const file = await RotatingFile.open({ fs, clock, path, rotation, mode: FILE_MODE, logger });
    await file.finishLine();
    return file;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot open the audit log: ${reason}`);
  }
}

function standardOutput(stdout: (text: string) => void): AuditOutput {
  return {
    async append(lines, from) {
      stdout(lines.slice(from).join(''));
      return lines.length;
    },
    async close() {},
  };
}
