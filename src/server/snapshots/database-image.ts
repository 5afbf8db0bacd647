import type { Backend, BackendSnapshot } from '../../storage/backend/backend.js';
import { backendImageSource } from '../../storage/bbolt/backend-image.js';
import {
  type ImageLayout,
  type ImageSource,
  planImage,
  writeImage,
} from '../../storage/bbolt/image.js';
import { Turns, type TurnsParts } from './turns.js';

export interface DatabaseImageParts extends TurnsParts {
  readonly backend: Pick<Backend, 'snapshot'>;
}

/** A backend as it was at one moment, as a bbolt file. Must be closed. */
export interface DatabaseImage {
  readonly bytes: number;
  readonly view: BackendSnapshot;
  /** The file from its beginning; to be read once. Others have their turn meanwhile. */
  blocks(): AsyncGenerator<Buffer, void>;
  close(): void;
}

/**
 * The backend as it is now, as a file that etcd reads. It is read twice from one view: once here, to
 * learn how long the file will be, and once for its bytes. Writes go on meanwhile, and memory doesn't
 * grow with the data.
 * @param isAwaited asked now and then; the result is undefined once it says no
 */
export async function openDatabaseImage(
  parts: DatabaseImageParts,
  isAwaited: () => boolean,
): Promise<DatabaseImage | undefined> {
  const view = await parts.backend.snapshot();
  const turns = new Turns(parts);
  try {
    const source = backendImageSource(view);
    const layout = await plan(source, turns, isAwaited);
    if (layout === undefined) {
      view.close();
      return undefined;
    }
    return {
      bytes: layout.bytes,
      view,
      blocks: () => blocksOf(source, layout, turns),
      close: () => view.close(),
    };
  } catch (error) {
    view.close();
    throw error;
  }
}

async function plan(
  source: ImageSource,
  turns: Turns,
  isAwaited: () => boolean,
): Promise<ImageLayout | undefined> {
  const steps = planImage(source);
  try {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return step.value;
      await turns.yield();
      if (!isAwaited()) return undefined;
    }
  } finally {
    steps.return({ pageCount: 0, bytes: 0, root: 0, storeFreelist: false });
  }
}

async function* blocksOf(
  source: ImageSource,
  layout: ImageLayout,
  turns: Turns,
): AsyncGenerator<Buffer, void> {
  for (const block of writeImage(source, layout)) {
    yield block;
    await turns.yield();
  }
}
