import type { LogRotation } from '../config/log-rotation.js';
import type { AuditProgress } from './audit-queue.js';

/** What the thread of the audit log is started with. */
export interface AuditThreadSettings {
  readonly path: string;
  readonly rotation: LogRotation | undefined;
}

/** What it is asked. */
export type AuditThreadQuestion =
  | { readonly kind: 'write'; readonly chunks: readonly Uint8Array[]; readonly from: number }
  | { readonly kind: 'close' };

/** What it tells: one answer to its start and to each question, and errors for the server's log. */
export type AuditThreadMessage =
  | { readonly kind: 'opened' }
  | { readonly kind: 'written'; readonly progress: AuditProgress }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'log';
      readonly message: string;
      readonly fields: Readonly<Record<string, string>>;
    };
