import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Fs } from '../../platform/fs.js';
import {
  type ImageLayout,
  type ImageOptions,
  type ImageSource,
  planImage,
  writeImage,
} from './image.js';

/** Bytes that are collected before they are written. */
const WRITE_BYTES = 1024 * 1024;
/** Steps of the planning between two turns of the event loop. */
const STEPS_PER_TURN = 64;

export interface WriteFileOptions extends ImageOptions {
  /** Called now and then with the bytes written so far and those of the whole file. */
  readonly onProgress?: (writtenBytes: number, totalBytes: number) => void;
}

/**
 * Writes a bbolt file, whole and durable once it has its name: it is made at `<path>.part`, which a
 * failure removes and a crash may leave. A file at `path` is replaced. A snapshot of a backend
 * becomes a source with `backendImageSource`. Returns the length of the file, bytes.
 */
export async function writeBboltFile(
  fs: Fs,
  path: string,
  source: ImageSource,
  options: WriteFileOptions = {},
): Promise<number> {
  const partPath = `${path}.part`;
  try {
    const layout = await plan(source, options);
    await writePart(fs, partPath, source, layout, options);
    await fs.rename(partPath, path);
    await fs.syncDirectory(dirname(path));
    return layout.bytes;
  } catch (error) {
    if ((await fs.stat(partPath)) !== undefined) await fs.remove(partPath);
    throw error;
  }
}

async function plan(source: ImageSource, options: ImageOptions): Promise<ImageLayout> {
  const steps = planImage(source, options);
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done) return step.value;
    if (count % STEPS_PER_TURN === 0) await nextTurn();
  }
}

async function writePart(
  fs: Fs,
  partPath: string,
  source: ImageSource,
  layout: ImageLayout,
  { onProgress = () => {} }: WriteFileOptions,
): Promise<void> {
  const file = await fs.open(partPath, { write: true, create: true, truncate: true, mode: 0o600 });
  try {
    let waiting: Buffer[] = [];
    let written = 0;
    let length = 0;
    for (const block of writeImage(source, layout)) {
      waiting.push(block);
      length += block.length;
      if (length - written < WRITE_BYTES) continue;
      await file.write(waiting, written);
      waiting = [];
      written = length;
      onProgress(written, layout.bytes);
    }
    await file.write(waiting, written);
    await file.sync();
    onProgress(layout.bytes, layout.bytes);
  } finally {
    await file.close();
  }
}
