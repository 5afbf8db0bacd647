import fc from 'fast-check';
import {
  type Entry,
  EntryType,
  type Message,
  MessageType,
  newMessage,
} from '../../../src/raft/types.js';

const number = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const id = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const ids = fc.array(id, { maxLength: 3 });

export const entries: fc.Arbitrary<Entry> = fc.record({
  type: fc.constantFrom(EntryType.Normal, EntryType.ConfChange, EntryType.ConfChangeV2),
  term: number,
  index: number,
  data: bytes(40),
});

const snapshots = fc.record({
  data: bytes(30),
  index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  term: number,
  confState: fc.record({
    voters: ids,
    learners: ids,
    votersOutgoing: ids,
    learnersNext: ids,
    autoLeave: fc.boolean(),
  }),
});

/** Any message, sensible or not, except link heartbeats. */
export const messages: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom(...Object.values(MessageType)),
    to: id,
    from: id.map((value) => value || 1n),
    term: number,
    logTerm: number,
    index: number,
    entries: fc.array(entries, { maxLength: 4 }),
    commit: number,
    vote: id,
    snapshot: fc.option(snapshots, { nil: undefined }),
    reject: fc.boolean(),
    rejectHint: number,
    context: bytes(12),
  })
  .map((fields) => ({ ...newMessage(fields.type, fields.to), ...fields }));

/** What a leader 1 sends to a follower 2 in its life: mostly appends that continue each other. */
export const appendSequences: fc.Arbitrary<Message[]> = fc
  .array(
    fc.record({
      continues: fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, fc.boolean()),
      term: fc.integer({ min: 1, max: 4 }),
      index: fc.nat({ max: 1000 }),
      commit: number,
      data: fc.array(bytes(30), { maxLength: 4 }),
    }),
    { maxLength: 12 },
  )
  .map((steps) => {
    const last = { term: 0, index: 0 };
    return steps.map(({ continues, term, index, commit, data }) => {
      const message = newMessage(MessageType.App, 2n);
      message.from = 1n;
      message.term = continues && last.term > 0 ? last.term : term;
      message.logTerm = continues ? last.term : Math.max(0, term - 1);
      message.index = continues ? last.index : index;
      message.commit = commit;
      message.entries = data.map((one, position) => ({
        type: EntryType.Normal,
        term: message.term,
        index: message.index + position + 1,
        data: one,
      }));
      last.term = message.term;
      last.index = message.index + data.length;
      return message;
    });
  });
