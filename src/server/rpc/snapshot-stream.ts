import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.js';
import { SnapshotResponse } from '../../proto/gen/etcdserverpb/rpc.js';
import type { Backend, BackendSnapshot } from '../../storage/backend/backend.js';
import { backendImageSource } from '../../storage/bbolt/backend-image.js';
import { type ImageLayout, planImage, writeImage } from '../../storage/bbolt/image.js';
import { drained } from './methods.js';
import type { ServerStream } from './transport.js';

/** Time that one turn of the event loop spends on a snapshot, ms: other requests wait no longer. */
const TURN_MILLIS = 4;

const STORAGE_VERSION_KEY = Buffer.from('storageVersion');

export interface SnapshotParts {
  readonly backend: Pick<Backend, 'snapshot'>;
  readonly clock: Pick<Clock, 'defer' | 'monotonicMillis'>;
}

/**
 * Answers Maintenance.Snapshot (reference: api 16): the backend as a bbolt file, in blobs of 32 KiB,
 * and the SHA-256 of them all in one more message. It is read from one view of the backend, twice:
 * once to learn how long the file will be, once to send it. Writes go on meanwhile; memory doesn't
 * grow with the data.
 */
export async function sendSnapshot(parts: SnapshotParts, stream: ServerStream): Promise<void> {
  if (stream.context.signal.aborted) return;
  const closed = new AbortController();
  stream.onClose(() => closed.abort());
  stream.context.signal.addEventListener('abort', () => closed.abort(), { once: true });
  const snapshot = await parts.backend.snapshot();
  try {
    await new SnapshotSender(parts, stream, closed.signal).send(snapshot);
  } finally {
    snapshot.close();
  }
}

class SnapshotSender {
  readonly #parts: SnapshotParts;
  readonly #stream: ServerStream;
  /** Aborted when nobody reads the stream any more. */
  readonly #signal: AbortSignal;
  #turnStarted: number;

  constructor(parts: SnapshotParts, stream: ServerStream, signal: AbortSignal) {
    this.#parts = parts;
    this.#stream = stream;
    this.#signal = signal;
    this.#turnStarted = parts.clock.monotonicMillis();
  }

  async send(snapshot: BackendSnapshot): Promise<void> {
    const version = snapshot.get('meta', STORAGE_VERSION_KEY)?.toString() ?? '';
    const source = backendImageSource(snapshot);
    const layout = await this.#plan(planImage(source));
    if (layout === undefined) return;
    const hash = createHash('sha256');
    let remainingBytes = layout.bytes;
    for (const blob of writeImage(source, layout)) {
      remainingBytes -= blob.length;
      hash.update(blob);
      const message = { header: undefined, remainingBytes, blob, version };
      const isFull = !this.#stream.send(SnapshotResponse.encode(message).finish());
      if (isFull) await drained(this.#stream, this.#signal);
      await this.#yield();
      if (this.#signal.aborted) return;
    }
    // Trap: the last data message has no remaining bytes either; only the end of the stream ends it.
    const last = { header: undefined, remainingBytes: 0, blob: hash.digest(), version };
    this.#stream.send(SnapshotResponse.encode(last).finish());
    this.#stream.end();
  }

  /** Undefined if nobody waits for the file any more. */
  async #plan(steps: Generator<undefined, ImageLayout>): Promise<ImageLayout | undefined> {
    try {
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) return step.value;
        await this.#yield();
        if (this.#signal.aborted) return undefined;
      }
    } finally {
      steps.return({ pageCount: 0, bytes: 0, root: 0, storeFreelist: false });
    }
  }

  /** Lets others have their turn once ours has lasted long enough. */
  async #yield(): Promise<void> {
    const { clock } = this.#parts;
    if (clock.monotonicMillis() - this.#turnStarted < TURN_MILLIS) return;
    await new Promise<void>((resolve) => clock.defer(resolve));
    this.#turnStarted = clock.monotonicMillis();
  }
}
