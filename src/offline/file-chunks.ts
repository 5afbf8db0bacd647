import type { FileHandle } from '../platform/fs.js';

/** Bytes that are read at once. */
const CHUNK_BYTES = 1024 * 1024;

/** The bytes of a file up to `end`, in order; fewer if it ends before. */
export async function* fileChunks(file: FileHandle, end: number): AsyncGenerator<Buffer> {
  let next = file.read(0, Math.min(CHUNK_BYTES, end));
  for (let at = 0; at < end; ) {
    const chunk = await next;
    if (chunk.length === 0) return;
    at += chunk.length;
    // The disk works while the receiver does.
    next = at < end ? file.read(at, Math.min(CHUNK_BYTES, end - at)) : next;
    next.catch(() => {});
    yield chunk;
  }
}
