import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageCounter } from '../../bench/load/message-counter.js';
import { ResponseHeader, WatchResponse } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { Event, KeyValue } from '../../src/proto/gen/mvccpb/kv.js';

function framed(response: Partial<WatchResponse>): Buffer {
  const message = WatchResponse.encode(WatchResponse.create(response)).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const event = Event.create({
  kv: KeyValue.create({ key: Buffer.from('bench/1'), value: Buffer.alloc(256), modRevision: 7 }),
});
const header = ResponseHeader.create({ clusterId: 2n ** 64n - 1n, revision: 300, raftTerm: 2 });

test('counts confirmations and events, however the messages are cut', () => {
  const response = fc.oneof(
    fc.constant({ header, watchId: 3n, created: true }),
    fc.nat(5).map((count) => ({
      header,
      watchId: 300n,
      events: Array.from({ length: count }, () => event),
    })),
  );
  fc.assert(
    fc.property(
      fc.array(response),
      fc.array(fc.integer({ min: 1, max: 500 })),
      (responses, cuts) => {
        const bytes = Buffer.concat(responses.map(framed));
        const counter = new MessageCounter();
        let position = 0;
        for (const cut of [...cuts, bytes.length]) {
          const end = Math.min(position + cut, bytes.length);
          counter.add(bytes, position, end);
          position = end;
        }
        const created = responses.filter((one) => 'created' in one).length;
        const events = responses.flatMap((one) => ('events' in one ? one.events : [])).length;
        expect([counter.takeCreated(), counter.takeEvents()]).toEqual([created, events]);
        expect([counter.takeCreated(), counter.takeEvents()]).toEqual([0, 0]);
      },
    ),
  );
});

test('fails when a watcher is cancelled', () => {
  const bytes = framed({ header, canceled: true });
  expect(() => new MessageCounter().add(bytes, 0, bytes.length)).toThrow('cancelled');
});
