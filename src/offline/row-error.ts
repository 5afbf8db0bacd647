/** A row that no etcd writes. */
export class DatabaseRowError extends Error {
  override readonly name = 'DatabaseRowError';
  readonly file: string;
  readonly bucket: string;
  /** Hexadecimal. */
  readonly rowKey: string;
  /** What is wrong, without the place. */
  readonly reason: string;

  constructor(file: string, bucket: string, rowKey: Buffer, reason: string) {
    const hex = rowKey.toString('hex');
    super(`${file}: bucket ${bucket}, row ${hex}: ${reason}`);
    this.file = file;
    this.bucket = bucket;
    this.rowKey = hex;
    this.reason = reason;
  }
}
