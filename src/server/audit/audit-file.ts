import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { LogRotation } from '../config/log-rotation.js';
import { RotatingFile } from '../logging/rotating-file.js';
import type { AuditOutput } from './line-writer.js';

/** The log tells who read and wrote what, so it is nobody else's business. */
const FILE_MODE = 0o600;

export interface AuditFileOptions {
  readonly path: string;
  readonly rotation: LogRotation | undefined;
  readonly fs: Fs;
  readonly clock: Pick<Clock, 'wallMillis'>;
  readonly logger: Logger;
}

/** @throws Error if the file cannot be opened */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditOutput> {
  const file = await RotatingFile.open({ ...options, mode: FILE_MODE });
  await file.finishLine();
  return { append: (text) => file.appendText(text), close: () => file.close() };
}
