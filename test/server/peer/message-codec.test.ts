import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/proto/decode-error.js';
import { Message as WireMessage } from '../../../src/proto/gen/raftpb/raft.js';
import { EMPTY_CONF_STATE, MessageType, newMessage } from '../../../src/raft/types.js';
import { decodeMessage, encodeMessage } from '../../../src/server/peer/message-codec.js';
import { isLinkHeartbeat } from '../../../src/server/peer/stream-codec.js';
import { messages } from './arbitrary-messages.js';

describe('the codec of messages', () => {
  it('brings back what it wrote', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  it('writes what the generated codec reads', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const wire = WireMessage.decode(encodeMessage(message));
        expect(wire.to ?? 0n).toBe(message.to);
        expect(wire.rejectHint ?? 0).toBe(message.rejectHint);
        expect(wire.entries.map(({ Index }) => Index)).toEqual(
          message.entries.map(({ index }) => index),
        );
        expect(wire.snapshot?.metadata?.confState?.voters).toEqual(
          message.snapshot?.confState.voters,
        );
      }),
    );
  });

  it('reads zero fields that are there, as 3.4 to 3.6 write them', () => {
    const heartbeat = Buffer.from(
      '0808100018002000280030004000' + '4a0a12080a02280010001800' + '50005800',
      'hex',
    );
    expect(heartbeat).toHaveLength(30);
    const message = decodeMessage(heartbeat);
    expect(message).toEqual(newMessage(MessageType.Heartbeat, 0n));
    expect(isLinkHeartbeat(message)).toBe(true);
  });

  it('reads the link heartbeat of 3.7', () => {
    expect(decodeMessage(Buffer.from('0808', 'hex'))).toEqual(
      newMessage(MessageType.Heartbeat, 0n),
    );
  });

  it('always writes the metadata of a snapshot, and its ConfState', () => {
    const snapshot = { data: Buffer.alloc(0), index: 1, term: 1, confState: EMPTY_CONF_STATE };
    const message = { ...newMessage(MessageType.Snap, 2n), snapshot };
    const wire = WireMessage.decode(encodeMessage(message));
    expect(wire.snapshot?.metadata?.confState).toBeDefined();
  });

  it('copes with every prefix and every flipped bit', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeMessage(message);
        for (let end = 0; end < bytes.length; end++) tryDecode(bytes.subarray(0, end));
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = Buffer.from(bytes);
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          tryDecode(flipped);
        }
      }),
      { numRuns: 25 },
    );
  });
});

/** Any error but a DecodeError is a fault. */
function tryDecode(bytes: Buffer): void {
  try {
    decodeMessage(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}
