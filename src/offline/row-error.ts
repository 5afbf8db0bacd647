/** Keys in messages are cut off behind so many bytes: a damaged length makes them long. */
const MAX_SHOWN_KEY_BYTES = 64;

/** Where a row is. */
export interface RowPlace {
  readonly page: number;
  /** Of that page, bytes from the start of the file. */
  readonly offset: number;
}

/** A row that no etcd writes. */
export class DatabaseRowError extends Error {
  override readonly name = 'DatabaseRowError';
  readonly file: string;
  readonly bucket: string;
  readonly key: Buffer;
  /** What is wrong, without the place. */
  readonly reason: string;
  /** Undefined if it was not noted; readDatabase then looks for it. */
  readonly place: RowPlace | undefined;

  constructor(file: string, bucket: string, key: Buffer, reason: string, place?: RowPlace) {
    const where = place === undefined ? '' : ` (offset ${place.offset})`;
    super(`${file}: bucket ${bucket}, row ${shown(key)}: ${reason}${where}`);
    this.file = file;
    this.bucket = bucket;
    this.key = key;
    this.reason = reason;
    this.place = place;
  }

  /** Hexadecimal. */
  get rowKey(): string {
    return this.key.toString('hex');
  }

  get offset(): number | undefined {
    return this.place?.offset;
  }
}

function shown(key: Buffer): string {
  const hex = key.toString('hex', 0, MAX_SHOWN_KEY_BYTES);
  return key.length > MAX_SHOWN_KEY_BYTES ? `${hex}...` : hex;
}
