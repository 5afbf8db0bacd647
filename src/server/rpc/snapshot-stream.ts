import { createHash } from 'node:crypto';
import { SnapshotResponse } from '../../proto/gen/etcdserverpb/rpc.js';
import { BinaryWriter } from '../../proto/wire/writer.js';
import {
  type DatabaseImage,
  type DatabaseImageParts,
  openDatabaseImage,
} from '../snapshots/database-image.js';
import { drained } from './methods.js';
import type { ServerStream } from './transport.js';

/** Tags, lengths and the number of a message, at most. */
const OTHER_FIELDS_BYTES = 64;
const STORAGE_VERSION_KEY = Buffer.from('storageVersion');

/**
 * Answers Maintenance.Snapshot (reference: api 16): the backend as a bbolt file, in blobs of 32 KiB,
 * and the SHA-256 of them all in one more message.
 */
export async function sendSnapshot(parts: DatabaseImageParts, stream: ServerStream): Promise<void> {
  if (stream.context.signal.aborted) return;
  const closed = new AbortController();
  stream.onClose(() => closed.abort());
  stream.context.signal.addEventListener('abort', () => closed.abort(), { once: true });
  const image = await openDatabaseImage(parts, () => !closed.signal.aborted);
  if (image === undefined) return;
  try {
    await sendImage(image, stream, closed.signal);
  } finally {
    image.close();
  }
}

/** @param signal aborted when nobody reads the stream any more */
async function sendImage(
  image: DatabaseImage,
  stream: ServerStream,
  signal: AbortSignal,
): Promise<void> {
  const version = image.view.get('meta', STORAGE_VERSION_KEY)?.toString() ?? '';
  const hash = createHash('sha256');
  let remainingBytes = image.bytes;
  for await (const blob of image.blocks()) {
    if (signal.aborted) return;
    remainingBytes -= blob.length;
    hash.update(blob);
    const message = { header: undefined, remainingBytes, blob, version };
    const writer = new BinaryWriter(blob.length + OTHER_FIELDS_BYTES + version.length);
    const isFull = !stream.send(SnapshotResponse.encode(message, writer).finish());
    if (isFull) await drained(stream, signal);
    if (signal.aborted) return;
  }
  // Trap: the last data message has no remaining bytes either; only the end of the stream ends it.
  const last = { header: undefined, remainingBytes: 0, blob: hash.digest(), version };
  stream.send(SnapshotResponse.encode(last).finish());
  stream.end();
}
