import type { Logger } from '../../base/logger.js';
import type { Fs } from '../../platform/fs.js';
import { parseSegmentName, type SegmentName } from './segment-name.js';

/**
 * The segments of a WAL directory in order. Prepared segments (`.tmp`) are passed over in silence,
 * other names with a warning. A directory that is not there has none.
 */
export async function listSegments(
  fs: Fs,
  directory: string,
  logger: Logger,
): Promise<SegmentName[]> {
  if ((await fs.stat(directory)) === undefined) return [];
  const segments: SegmentName[] = [];
  for (const name of await fs.readDirectory(directory)) {
    const segment = parseSegmentName(name);
    if (segment !== undefined) segments.push(segment);
    else if (!name.endsWith('.tmp')) logger.warn('ignored file in WAL directory', { path: name });
  }
  return segments;
}

/**
 * Whether a WAL directory makes its owner an existing member: some name in it ends in `.wal`
 * (reference: formats 0).
 */
export async function haveWal(fs: Fs, directory: string): Promise<boolean> {
  if ((await fs.stat(directory)) === undefined) return false;
  return (await fs.readDirectory(directory)).some((name) => name.endsWith('.wal'));
}
