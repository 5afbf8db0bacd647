import { type LogRotation, parseRotation } from './log-rotation.js';
import type { Settings } from './settings.js';

/** As `--audit-log`: the lines go to stdout. */
export const STDOUT = '-';

/** The audit log, which etcd does not have. */
export interface AuditConfig {
  /** A path or {@link STDOUT}; undefined: there is no audit log. */
  readonly output: string | undefined;
  /** Whether reads are written, too. */
  readonly reads: boolean;
  readonly rotation: LogRotation | undefined;
}

/** @throws Error if there is no file to rotate, or the parameters of the rotation are wrong */
export function parseAudit(settings: Settings): AuditConfig {
  const output = settings.text('audit-log') || undefined;
  const rotation = settings.text('audit-log-rotation-config-json');
  if (rotation !== '' && (output === undefined || output === STDOUT)) {
    throw new Error('--audit-log-rotation-config-json requires a file path as --audit-log');
  }
  return {
    output,
    reads: settings.on('audit-log-reads'),
    rotation: rotation === '' ? undefined : parseRotation(rotation),
  };
}
