import { type BackendSnapshot, BUCKETS, type Bucket } from '../backend/backend.js';
import type { ImageSource } from './image.js';

const LOWEST_KEY = Buffer.alloc(1);

/** A backend's state as what a bbolt file is made of. The snapshot must stay open meanwhile. */
export function backendImageSource(snapshot: BackendSnapshot): ImageSource {
  // The names that the writer asks for are those it was given.
  return {
    buckets: BUCKETS,
    rows: (bucket) =>
      snapshot.scan?.(bucket as Bucket) ?? snapshot.range(bucket as Bucket, LOWEST_KEY),
    visit: (bucket, visit, lengthsOnly) => snapshot.visit?.(bucket as Bucket, visit, lengthsOnly),
  };
}
