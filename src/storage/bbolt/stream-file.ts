import type { FileHandle, Fs } from '../../platform/fs.js';
import type { Row } from '../backend/backend.js';
import { PageEncoder } from './image.js';
import { encodeBucket } from './leaf.js';
import { encodeMetaPage } from './meta.js';
import { PAGE_BYTES } from './page.js';
import { TreeBuilder } from './tree-builder.js';

/** Bytes that are collected before they are written. */
const WRITE_BYTES = 1024 * 1024;
const META_PAGES = 2;
/** Page 0 carries the newer of the two transactions (reference: formats 3.6). */
const TRANSACTIONS = [2n, 1n] as const;

/** Sorted pairs of a bucket, in batches. */
export interface StreamedBucket {
  readonly name: string;
  rows(): AsyncIterable<readonly Row[]>;
}

/**
 * Writes a bbolt file without free pages from a source that is read once, in memory that doesn't
 * grow with it, and syncs it. The first two pages are written last, so that a file that is cut off
 * opens for nobody. It has no stored freelist, as those of an etcd on Linux.
 * @param buckets in the order of their names
 * @returns the length of the file, bytes
 */
export async function streamBboltFile(
  fs: Fs,
  path: string,
  buckets: AsyncIterable<StreamedBucket>,
): Promise<number> {
  const file = await fs.open(path, { write: true, create: true, truncate: true, mode: 0o600 });
  try {
    const pages = new PageEncoder(META_PAGES);
    pages.write(META_PAGES, () => {});
    const output = new BlockWriter(file, pages);
    const root = new TreeBuilder(pages, PAGE_BYTES);
    for await (const bucket of buckets) {
      const value = await buildBucket(bucket, pages, output);
      root.add({ key: Buffer.from(bucket.name, 'latin1'), value, isBucket: true });
    }
    const built = root.finish(false);
    if (!('page' in built)) throw new Error('the root bucket of a file has a page');
    await output.finish();
    await file.write([metaPages(built.page, pages.next)], 0);
    await file.sync();
    return pages.next * PAGE_BYTES;
  } finally {
    await file.close();
  }
}

/** The value of the bucket's element. */
async function buildBucket(
  bucket: StreamedBucket,
  pages: PageEncoder,
  output: BlockWriter,
): Promise<Buffer> {
  const tree = new TreeBuilder(pages, PAGE_BYTES);
  for await (const rows of bucket.rows()) {
    for (const [key, value] of rows) tree.add({ key, value, isBucket: false });
    await output.flush();
  }
  const built = tree.finish(true);
  return 'page' in built ? encodeBucket(built.page) : built.inline;
}

function metaPages(root: number, highWaterMark: number): Buffer {
  const bytes = Buffer.alloc(META_PAGES * PAGE_BYTES);
  const meta = { pageBytes: PAGE_BYTES, root, freelist: undefined, highWaterMark };
  for (const page of [0, 1] as const) {
    const transaction = TRANSACTIONS[page];
    encodeMetaPage(bytes, page * PAGE_BYTES, page, { ...meta, transaction });
  }
  return bytes;
}

/** Takes finished blocks of pages to the file. */
class BlockWriter {
  readonly #file: FileHandle;
  readonly #pages: PageEncoder;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #written = 0;

  constructor(file: FileHandle, pages: PageEncoder) {
    this.#file = file;
    this.#pages = pages;
  }

  async flush(): Promise<void> {
    this.#collect(this.#pages.takeBlocks());
    if (this.#waitingBytes >= WRITE_BYTES) await this.#write();
  }

  async finish(): Promise<void> {
    this.#collect([...this.#pages.takeBlocks(), this.#pages.rest()]);
    await this.#write();
  }

  #collect(blocks: readonly Buffer[]): void {
    for (const block of blocks) {
      this.#waiting.push(block);
      this.#waitingBytes += block.length;
    }
  }

  async #write(): Promise<void> {
    await this.#file.write(this.#waiting, this.#written);
    this.#written += this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}
