import type { GrpcCode } from '../../proto/errors.js';
import type { AuditLines, AuditLinesOptions } from './audit-line.js';

export interface AuditedStreamOptions extends AuditLinesOptions {
  readonly lines: AuditLines;
}

/** What is said in a stream, and what of it comes to the audit log. */
export interface Conversation {
  /** The service is about to get a message. */
  request(message: Buffer): void;
  /** The service is about to send one. */
  response(message: Uint8Array): void;
  /** Nothing more can follow. */
  end(code: GrpcCode): void;
}
