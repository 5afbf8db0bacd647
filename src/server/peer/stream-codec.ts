import { type Message, MessageType, NONE } from '../../raft/types.js';
import type { ByteQueue } from './byte-queue.js';
import type { FrameBatch } from './frame-batch.js';
import { MessageStreamDecoder, MessageStreamEncoder } from './message-stream-codec.js';
import { MsgAppStreamDecoder, MsgAppStreamEncoder } from './msgapp-stream-codec.js';

/** The two streams between a pair of members, in each direction, by their names in the path. */
export type StreamKind = 'msgapp' | 'message';

export const STREAM_KINDS: readonly StreamKind[] = ['msgapp', 'message'];

/** As log lines name them. */
export const STREAM_TITLES: Readonly<Record<StreamKind, string>> = {
  msgapp: 'stream MsgApp v2',
  message: 'stream Message',
};

/** Writes the frames of one connection. */
export interface StreamEncoder {
  encode(message: Message, batch: FrameBatch): void;
  /** Writes the frame that shows that the connection lives. */
  encodeLinkHeartbeat(batch: FrameBatch): void;
}

/** Reads the frames of one connection. */
export interface StreamDecoder {
  /**
   * The next message; undefined: more bytes are needed. After an error the decoder is of no use.
   * @throws FrameError, DecodeError
   */
  decode(queue: ByteQueue): Message | undefined;
}

export function createEncoder(kind: StreamKind): StreamEncoder {
  return kind === 'msgapp' ? new MsgAppStreamEncoder() : new MessageStreamEncoder();
}

/** @param local the reader's member, @param peer the writer's */
export function createDecoder(kind: StreamKind, local: bigint, peer: bigint): StreamDecoder {
  return kind === 'msgapp' ? new MsgAppStreamDecoder(local, peer) : new MessageStreamDecoder();
}

/** Whether a message only shows that the connection lives. Such ones are not for Raft. */
export function isLinkHeartbeat({ type, from, to }: Message): boolean {
  return type === MessageType.Heartbeat && from === NONE && to === NONE;
}
