/** Longest message of a stream, bytes (reference: raft-and-peers B2). */
export const MAX_STREAM_MESSAGE_BYTES = 512 * 1024 * 1024;

/** A frame that no peer would send. The connection that it came on is of no further use. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** @throws FrameError if a frame announces more than `limit` bytes */
export function checkFrameLength(length: number, limit: number): void {
  if (length > limit) throw new FrameError('rafthttp: error limit exceeded');
}
