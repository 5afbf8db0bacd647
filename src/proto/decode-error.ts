/**
 * Bytes that are not what they should be. `offset` is where in the decoded buffer (or, with `file`,
 * in the file) the fault lies, in bytes.
 */
export class DecodeError extends Error {
  readonly reason: string;
  readonly offset: number;
  readonly file: string | undefined;

  constructor(reason: string, offset: number, file?: string) {
    super(`${reason} at offset ${offset}${file === undefined ? '' : ` of ${file}`}`);
    this.name = 'DecodeError';
    this.reason = reason;
    this.offset = offset;
    this.file = file;
  }
}
