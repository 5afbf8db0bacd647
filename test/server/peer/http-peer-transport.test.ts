import { afterEach, describe, expect, it } from 'vitest';
import { EntryType, MessageType } from '../../../src/raft/types.js';
import {
  connectMembers,
  messageOf,
  type PeerMember,
  startPeerMember,
  untilConnected,
} from '../../support/peer-member.js';
import { until } from '../../support/until.js';

const running: PeerMember[] = [];

async function start(...args: Parameters<typeof startPeerMember>): Promise<PeerMember> {
  const member = await startPeerMember(...args);
  running.push(member);
  return member;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((member) => member.stop()));
});

function entriesFrom(first: number, count: number, bytes = 10) {
  return Array.from({ length: count }, (_, position) => ({
    type: EntryType.Normal,
    term: 1,
    index: first + position,
    data: Buffer.alloc(bytes, position),
  }));
}

describe('transports on the loopback', () => {
  it('deliver messages in both directions, in their order', async () => {
    const [a, b] = [await start({ id: 1n }), await start({ id: 2n })];
    await connectMembers(a, b);
    const appends = Array.from({ length: 500 }, (_, position) =>
      messageOf(MessageType.App, 1n, 2n, {
        logTerm: 1,
        index: position * 3,
        entries: entriesFrom(position * 3 + 1, 3),
        commit: position,
      }),
    );
    const beats = Array.from({ length: 50 }, (_, position) =>
      messageOf(MessageType.Heartbeat, 1n, 2n, { commit: position, context: Buffer.from('c') }),
    );
    a.transport.send([...appends, ...beats]);
    b.transport.send([messageOf(MessageType.AppResp, 2n, 1n, { index: 9, rejectHint: 3 })]);
    await until('all is there', () => b.receiver.messages.length === 550);
    const of = (type: MessageType) => b.receiver.messages.filter((one) => one.type === type);
    expect(of(MessageType.App)).toEqual(appends);
    expect(of(MessageType.Heartbeat)).toEqual(beats);
    await until('the answer is there', () => a.receiver.messages.length === 1);
    expect(a.receiver.messages[0]).toEqual(
      messageOf(MessageType.AppResp, 2n, 1n, { index: 9, rejectHint: 3 }),
    );
    expect(a.transport.activeSince(2n)).toBeDefined();
  });

  it('connect three members and go on after one was killed and came back', async () => {
    const [a, b, c] = [await start({ id: 1n }), await start({ id: 2n }), await start({ id: 3n })];
    await connectMembers(a, b, c);
    await c.stop();
    running.splice(running.indexOf(c), 1);
    await until('c is missed', () => a.transport.activeSince(3n) === undefined);
    expect(a.receiver.unreachable).toContain(3n);
    expect(a.transport.activeSince(2n)).toBeDefined();
    const again = await start({ id: 3n, port: c.port });
    again.transport.addPeer(1n, [a.url]);
    again.transport.addPeer(2n, [b.url]);
    again.transport.start();
    await untilConnected(again);
    await until('c is back', () => a.transport.activeSince(3n) !== undefined);
    a.transport.send([messageOf(MessageType.Heartbeat, 1n, 3n)]);
    await until('the message is there', () => again.receiver.messages.length === 1);
  });

  it('send by POST what finds no stream, also to somebody who is no member yet', async () => {
    const [a, b] = [await start({ id: 1n }), await start({ id: 2n })];
    b.transport.start();
    a.transport.start();
    a.transport.addRemote(2n, [b.url]);
    a.transport.send([messageOf(MessageType.App, 1n, 2n, { entries: entriesFrom(1, 2) })]);
    await until('the message is there', () => b.receiver.messages.length === 1);
    expect(b.receiver.messages[0]?.entries).toEqual(entriesFrom(1, 2));
    // The POST told b where its sender is.
    b.transport.send([messageOf(MessageType.AppResp, 2n, 1n)]);
    await until('the answer is there', () => a.receiver.messages.length === 1);
  });
});
