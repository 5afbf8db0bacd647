/** Where in which file something is wrong. */
export interface BboltSite {
  /** Path of the file. */
  readonly file: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
}

/** A bbolt file that cannot be what it claims to be. */
export class BboltError extends Error implements BboltSite {
  override readonly name = 'BboltError';
  readonly file: string;
  readonly offset: number;
  /** What is wrong, without the place. */
  readonly reason: string;

  constructor({ file, offset }: BboltSite, reason: string) {
    super(`${file}: ${reason} (offset ${offset})`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}
