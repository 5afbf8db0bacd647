import type { ImageOptions, ImageSource } from '../../../src/storage/bbolt/image.js';
import { planImage, writeImage } from '../../../src/storage/bbolt/image.js';

export type Rows = readonly (readonly [key: Buffer, value: Buffer])[];
/** Rows by bucket; names and keys in order. */
export type Content = Readonly<Record<string, Rows>>;

export function sourceOf(content: Content): ImageSource {
  return { buckets: Object.keys(content).sort(), rows: (bucket) => content[bucket] ?? [] };
}

/** A bbolt file, as the writer makes it. */
export function imageOf(content: Content, options: ImageOptions = {}): Buffer {
  const source = sourceOf(content);
  const planning = planImage(source, options);
  let step = planning.next();
  while (!step.done) step = planning.next();
  return Buffer.concat([...writeImage(source, step.value)]);
}
