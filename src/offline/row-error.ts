/** A row that no etcd writes. */
export class DatabaseRowError extends Error {
  override readonly name = 'DatabaseRowError';
  readonly file: string;
  readonly bucket: string;
  /** Hexadecimal. */
  readonly rowKey: string;
  /** What is wrong, without the place. */
  readonly reason: string;
  /** Where the row is; undefined if that was not noted. */
  readonly page: number | undefined;

  constructor(file: string, bucket: string, rowKey: Buffer, reason: string, page?: number) {
    const hex = rowKey.toString('hex');
    super(`${file}: bucket ${bucket}, row ${hex}: ${reason}`);
    this.page = page;
    this.file = file;
    this.bucket = bucket;
    this.rowKey = hex;
    this.reason = reason;
  }
}
