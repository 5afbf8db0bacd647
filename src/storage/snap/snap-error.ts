/** What is wrong with the snapshots of a member (reference: formats 2.1, 2.3). */
export type SnapFault =
  | 'empty'
  | 'crc-mismatch'
  | 'undecodable'
  | 'none-available'
  | 'database-not-found'
  | 'bad-v2-store';

/** A snapshot that cannot be used. `message` is etcd's text where it has one. */
export class SnapError extends Error {
  override readonly name = 'SnapError';
  readonly fault: SnapFault;
  /** Path of the file or directory, if it is known. */
  readonly file: string | undefined;

  constructor(fault: SnapFault, message: string, file?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
    this.file = file;
  }
}
