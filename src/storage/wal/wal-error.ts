/** What is wrong with a WAL; each has its own text (reference: formats 1.5 to 1.9). */
export type WalFault =
  | 'file-exists'
  | 'file-not-found'
  | 'sequence-gap'
  | 'snapshot-not-found'
  | 'snapshot-mismatch'
  | 'snapshot-without-conf-state'
  | 'metadata-conflict'
  | 'crc-mismatch'
  | 'unexpected-eof'
  | 'slice-out-of-range'
  | 'unexpected-block-type'
  | 'undecodable'
  | 'write-failed'
  | 'closed';

export interface WalErrorDetails {
  /** Name of the segment, or path of the directory. */
  readonly file?: string | undefined;
  /** Offset in the segment, bytes, of the end of the last valid record. */
  readonly offset?: number | undefined;
  readonly cause?: unknown;
}

/** A WAL that cannot be read, or no longer be written. `message` is etcd's text for the fault. */
export class WalError extends Error {
  override readonly name = 'WalError';
  readonly fault: WalFault;
  readonly file: string | undefined;
  readonly offset: number | undefined;

  constructor(fault: WalFault, message: string, details: WalErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.fault = fault;
    this.file = details.file;
    this.offset = details.offset;
  }
}

/** True if `error` is the given fault of a WAL. */
export function isWalFault(error: unknown, fault: WalFault): boolean {
  return error instanceof WalError && error.fault === fault;
}
