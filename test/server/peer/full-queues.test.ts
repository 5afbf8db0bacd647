import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EMPTY_CONF_STATE, EntryType, MessageType } from '../../../src/raft/types.js';
import { encodeMessage } from '../../../src/server/peer/message-codec.js';
import { MessageQueue } from '../../../src/server/peer/message-queue.js';
import { listenOnLoopback } from '../../support/loopback.js';
import {
  connectMembers,
  messageOf,
  type PeerMember,
  type PeerMemberOptions,
  startPeerMember,
} from '../../support/peer-member.js';
import { askPeer, introduction } from '../../support/peer-request.js';
import { until } from '../../support/until.js';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const DROPPED = 'dropped internal Raft message since sending buffer is full';

async function startMember(options: Partial<PeerMemberOptions> = {}): Promise<PeerMember> {
  const member = await startPeerMember({ id: 1n, ...options });
  cleanups.push(() => member.stop());
  return member;
}

/** Asks for the msgapp stream as member 2, and reads nothing of it. */
async function attachDeafReader(member: PeerMember): Promise<Socket> {
  member.transport.addPeer(2n, ['http://127.0.0.1:1']);
  member.transport.start();
  const socket = connect(member.port, '127.0.0.1');
  cleanups.push(() => void socket.destroy());
  socket.pause();
  const headers = { ...introduction(2n, 0xc1n), 'X-Raft-To': '1' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
  const head = ['GET /raft/stream/msgapp/2 HTTP/1.1', 'Host: x', ...lines, '', ''];
  socket.write(head.join('\r\n'));
  await until('the stream is there', () => member.logger.has('set message encoder'));
  return socket;
}

function append(bytes: number) {
  const data = Buffer.alloc(bytes);
  return messageOf(MessageType.App, 1n, 2n, {
    entries: [{ type: EntryType.Normal, term: 1, index: 1, data }],
  });
}

describe('a peer that does not read', () => {
  it('costs a bounded number of messages; more are dropped and reported', async () => {
    const member = await startMember();
    await attachDeafReader(member);
    // The kernel and the socket take some megabytes.
    member.transport.send(Array.from({ length: 300 }, () => append(64 * 1024)));
    member.transport.send(Array.from({ length: 5000 }, () => append(10)));
    const drops = member.receiver.unreachable.length;
    expect(drops).toBeGreaterThan(5000 - 4096);
    expect(drops).toBeLessThan(5300 - 4096 + 1);
    expect(await member.metricsText()).toContain(
      `etcd_network_peer_sent_failures_total{To="2"} ${drops}`,
    );
    const logged = member.logger.lines.filter(({ message }) => message === DROPPED);
    expect(logged).toHaveLength(1);
  });

  it('costs a bounded number of bytes', async () => {
    const member = await startMember();
    await attachDeafReader(member);
    member.transport.send(Array.from({ length: 200 }, () => append(1024 * 1024)));
    expect(member.receiver.unreachable.length).toBeGreaterThan(200 - 64 - 40);
  });

  it('is given up when it takes nothing for the write timeout', async () => {
    const member = await startMember({ readTimeoutMillis: 1200, writeTimeoutMillis: 300 });
    const socket = await attachDeafReader(member);
    member.transport.send(Array.from({ length: 300 }, () => append(64 * 1024)));
    await until('the stream is given up', () =>
      member.logger.has('lost TCP streaming connection with remote peer'),
    );
    expect(member.receiver.unreachable).toContain(2n);
    expect(member.transport.activeSince(2n)).toBeUndefined();
    socket.resume();
    await until('the connection is closed', () => socket.closed || socket.readableEnded);
  });
});

describe('a peer that reads late', () => {
  it('gets all that was taken, in order', async () => {
    const member = await startMember();
    const socket = await attachDeafReader(member);
    member.transport.send(Array.from({ length: 400 }, () => append(64 * 1024)));
    expect(member.receiver.unreachable).toEqual([]);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.resume();
    await until('all is read', () => bytes > 400 * 64 * 1024);
  });
});

describe('a peer without streams that does not answer', () => {
  it('gets 4 messages at a time, 64 wait, the rest is dropped', async () => {
    let posts = 0;
    const server = http.createServer((request, response) => {
      if (request.url === '/raft') posts++;
      else response.writeHead(404).end();
    });
    const port = await listenOnLoopback(server);
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const member = await startMember();
    member.transport.addPeer(2n, [`http://127.0.0.1:${port}`]);
    member.transport.start();
    member.transport.send(Array.from({ length: 70 }, () => messageOf(MessageType.Vote, 1n, 2n)));
    expect(member.receiver.unreachable).toEqual([2n, 2n]);
    expect(member.logger.has(DROPPED)).toBe(true);
    await until('the messages are out', () => posts >= 4);
    expect(posts).toBe(4);
  });
});

describe('a member that has no room for what it receives', () => {
  const RECEIVED_DROPPED =
    'dropped internal Raft message since receiving buffer is full (overloaded network)';

  it('counts what it drops, and tells of it once a second at most', async () => {
    const sender = await startMember();
    const member = await startMember({ id: 2n });
    await connectMembers(sender, member);
    member.receiver.hasRoom = false;
    const heartbeats = Array.from({ length: 100 }, () => messageOf(MessageType.Heartbeat, 1n, 2n));
    sender.transport.send(heartbeats);
    await until('the messages are dropped', () => member.logger.has(RECEIVED_DROPPED));
    member.receiver.hasRoom = true;
    sender.transport.send([messageOf(MessageType.HeartbeatResp, 1n, 2n)]);
    await until('the next one is taken', () => member.receiver.messages.length > 0);
    const drops = 101 - member.receiver.messages.length;
    expect(await member.metricsText()).toContain(
      `etcd_network_peer_received_failures_total{From="1"} ${drops}`,
    );
    const logged = member.logger.lines.filter(({ message }) => message === RECEIVED_DROPPED);
    expect(logged).toHaveLength(1);
  });

  it('refuses what is posted', async () => {
    const member = await startMember({ id: 2n });
    member.transport.start();
    member.receiver.hasRoom = false;
    const body = encodeMessage(messageOf(MessageType.Vote, 1n, 2n));
    const answer = await askPeer(member.port, '/raft', introduction(1n, 0xc1n), 'POST', body);
    expect(answer).toMatchObject({ status: 500, body: 'error processing raft message\n' });
  });

  it('refuses the message of a snapshot, though it has its database', async () => {
    const sender = await startMember();
    const member = await startMember({ id: 2n });
    await connectMembers(sender, member);
    member.receiver.hasRoom = false;
    member.receiver.saveSnapshotDatabase = async (_index, blocks) => {
      for await (const block of blocks) expect(block.length).toBe(1);
    };
    const confState = { ...EMPTY_CONF_STATE, voters: [1n, 2n] };
    const snapshot = { data: Buffer.alloc(0), index: 7, term: 1, confState };
    sender.transport.sendSnapshot(messageOf(MessageType.Snap, 1n, 2n, { snapshot }), {
      bytes: 1,
      async *blocks() {
        yield Buffer.alloc(1);
      },
      close: () => {},
    });
    await until('it has failed', () => sender.receiver.snapshots.length > 0);
    expect(sender.receiver.snapshots).toEqual([{ id: 2n, succeeded: false }]);
  });
});

describe('the queue of messages', () => {
  it('keeps their order and its bounds', () => {
    const queue = new MessageQueue(3000, 1e9);
    const at = (index: number) => messageOf(MessageType.App, 1n, 2n, { index });
    let next = 0;
    let expected = 0;
    for (let round = 0; round < 5; round++) {
      while (queue.push(at(next))) next++;
      expect(queue.length).toBe(3000);
      for (let taken = 0; taken < 1500; taken++) expect(queue.shift()?.index).toBe(expected++);
    }
    queue.clear();
    expect(queue.shift()).toBeUndefined();
    const heavy = new MessageQueue(10, 1000);
    expect(heavy.push(append(5000))).toBe(true);
    expect(heavy.push(append(1))).toBe(false);
    expect(heavy.shift()).toBeDefined();
    expect(heavy.push(append(1))).toBe(true);
  });
});
