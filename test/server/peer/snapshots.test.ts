import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { EMPTY_CONF_STATE, MessageType } from '../../../src/raft/types.js';
import { FrameBatch, writeNumber } from '../../../src/server/peer/frame-batch.js';
import { encodeMessage } from '../../../src/server/peer/message-codec.js';
import { MessageStreamEncoder } from '../../../src/server/peer/message-stream-codec.js';
import type { SnapshotDatabase } from '../../../src/server/peer/peer-transport.js';
import {
  connectMembers,
  messageOf,
  type PeerMember,
  startPeerMember,
} from '../../support/peer-member.js';
import { askPeer, introduction } from '../../support/peer-request.js';
import { until } from '../../support/until.js';

const MEGABYTE = 1024 * 1024;
const running: PeerMember[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((member) => member.stop()));
});

async function startPair(readTimeoutMillis = 5000): Promise<[PeerMember, PeerMember]> {
  const a = await startPeerMember({ id: 1n });
  running.push(a);
  const b = await startPeerMember({ id: 2n, readTimeoutMillis });
  running.push(b);
  await connectMembers(a, b);
  return [a, b];
}

const message = messageOf(MessageType.Snap, 1n, 2n, {
  snapshot: {
    data: Buffer.from('{"Root":null}'),
    index: 77,
    term: 1,
    confState: { ...EMPTY_CONF_STATE, voters: [1n, 2n] },
  },
});

/** A database of blocks of a megabyte, and what became of it. */
class FakeDatabase implements SnapshotDatabase {
  readonly bytes: number;
  readonly #blocks: number;
  read = 0;
  closed = 0;

  constructor(blocks: number, announced = blocks * MEGABYTE) {
    this.#blocks = blocks;
    this.bytes = announced;
  }

  async *blocks(): AsyncGenerator<Buffer> {
    for (let block = 0; block < this.#blocks; block++) {
      this.read++;
      yield Buffer.alloc(MEGABYTE, block);
    }
  }

  close(): void {
    this.closed++;
  }
}

async function reported(member: PeerMember): Promise<boolean | undefined> {
  await until('the snapshot is over', () => member.receiver.snapshots.length > 0);
  expect(member.receiver.snapshots).toHaveLength(1);
  return member.receiver.snapshots[0]?.succeeded;
}

describe('a snapshot', () => {
  it('of 50 MB streams through, no faster than it is stored', async () => {
    const [a, b] = await startPair();
    const database = new FakeDatabase(50);
    const hash = createHash('sha256');
    let stored = 0;
    let mostAhead = 0;
    b.receiver.saveSnapshotDatabase = async (index, blocks) => {
      expect(index).toBe(77);
      expect(b.receiver.messages).toEqual([]);
      for await (const block of blocks) {
        stored += block.length;
        hash.update(block);
        mostAhead = Math.max(mostAhead, database.read * MEGABYTE - stored);
        if (stored % 7 === 0) await nextTurn();
      }
    };
    a.transport.sendSnapshot(message, database);
    expect(await reported(a)).toBe(true);
    expect(stored).toBe(50 * MEGABYTE);
    const expected = createHash('sha256');
    for (let block = 0; block < 50; block++) expected.update(Buffer.alloc(MEGABYTE, block));
    expect(hash.digest('hex')).toBe(expected.digest('hex'));
    // What the kernel holds for both sockets, and a few blocks.
    expect(mostAhead).toBeLessThan(20 * MEGABYTE);
    expect(b.receiver.messages).toEqual([message]);
    expect(database.closed).toBe(1);
    expect(await a.metricsText()).toContain('etcd_network_snapshot_send_success{To="2"} 1');
    expect(await b.metricsText()).toContain('etcd_network_snapshot_receive_success{From="1"} 1');
  });

  it.each([
    ['longer', 2 * MEGABYTE],
    ['shorter', 4 * MEGABYTE],
  ])('whose database is %s than it said is not received', async (_, announced) => {
    const [a, b] = await startPair();
    const database = new FakeDatabase(3, announced);
    let failure: unknown;
    b.receiver.saveSnapshotDatabase = async (_index, blocks) => {
      try {
        for await (const block of blocks) block.fill(0);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    a.transport.sendSnapshot(message, database);
    expect(await reported(a)).toBe(false);
    await until('the receiver has noticed', () => failure !== undefined);
    expect(b.receiver.messages).toEqual([]);
    expect(a.receiver.unreachable).toContain(2n);
    expect(database.closed).toBe(1);
  });

  it('whose database cannot be stored, or is left unread, is not received', async () => {
    const [a, b] = await startPair();
    b.receiver.saveSnapshotDatabase = () => Promise.reject(new Error('disk full'));
    const database = new FakeDatabase(10);
    a.transport.sendSnapshot(message, database);
    expect(await reported(a)).toBe(false);
    a.receiver.snapshots.length = 0;
    b.receiver.saveSnapshotDatabase = () => Promise.resolve();
    a.transport.sendSnapshot(message, new FakeDatabase(10));
    expect(await reported(a)).toBe(false);
    expect(b.receiver.messages).toEqual([]);
    expect(database.closed).toBe(1);
  });

  it('for an unknown member fails', async () => {
    const [a] = await startPair();
    const database = new FakeDatabase(1);
    a.transport.sendSnapshot({ ...message, to: 9n }, database);
    expect(await reported(a)).toBe(false);
    expect(database.closed).toBe(1);
  });

  it('under way ends when the transport stops', async () => {
    const [a, b] = await startPair();
    let begun = false;
    b.receiver.saveSnapshotDatabase = async (_index, blocks) => {
      for await (const block of blocks) {
        begun = block.length > 0;
        await sleep(20);
      }
    };
    const database = new FakeDatabase(500);
    a.transport.sendSnapshot(message, database);
    await until('it has begun', () => begun);
    await a.transport.stop();
    expect(await reported(a)).toBe(false);
    expect(database.closed).toBe(1);
  });
});

describe('a sender that falls silent', () => {
  /** Posts the beginning of a body and leaves it at that. Resolves when the connection is closed. */
  function postPart(port: number, path: string, part: Buffer): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    const headers = { ...introduction(1n, 0xc1n), Host: 'x', 'Content-Length': 1_000_000 };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
    socket.write([`POST ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    socket.write(part);
    socket.resume();
    return new Promise((resolve, reject) => {
      socket.on('close', () => resolve());
      socket.setTimeout(10_000, () => {
        socket.destroy();
        reject(new Error('the connection is still open'));
      });
    });
  }

  it('keeps no place that others need', async () => {
    const member = await startPeerMember({ id: 2n, readTimeoutMillis: 300 });
    running.push(member);
    member.transport.start();
    let stored = 0;
    member.receiver.saveSnapshotDatabase = async (_index, blocks) => {
      for await (const block of blocks) stored += block.length;
    };
    const head = encodeMessage(message);
    const length = Buffer.alloc(8);
    writeNumber(length, 0, head.length);
    const begun = Buffer.concat([length, head, Buffer.alloc(10)]);
    const silent = [begun, begun, begun.subarray(0, 20), begun.subarray(0, 4)];
    const closed = silent.map((part) => postPart(member.port, '/raft/snapshot', part));
    await Promise.all([...closed, postPart(member.port, '/raft', head)]);
    expect(member.receiver.messages).toEqual([]);
    const headers = introduction(1n, 0xc1n);
    stored = 0;
    const answer = await askPeer(member.port, '/raft/snapshot', headers, 'POST', begun);
    expect(answer.status).toBe(204);
    expect(stored).toBe(10);
  });

  it('is not one whose bytes are stored slowly', async () => {
    const [a, b] = await startPair(1100);
    b.receiver.saveSnapshotDatabase = async (_index, blocks) => {
      let waits = 0;
      for await (const block of blocks) {
        expect(block.length).toBeGreaterThan(0);
        if (waits++ === 1) await sleep(1300);
      }
      await sleep(1300);
    };
    a.transport.sendSnapshot(message, new FakeDatabase(20));
    expect(await reported(a)).toBe(true);
  });
});

describe('the endpoint of snapshots', () => {
  async function post(body: Buffer): Promise<{ status: number; body: string }> {
    const member = await startPeerMember({ id: 2n });
    running.push(member);
    member.transport.start();
    const headers = introduction(1n, 0xc1n);
    const { status, body: text } = await askPeer(
      member.port,
      '/raft/snapshot',
      headers,
      'POST',
      body,
    );
    expect(member.receiver.messages).toEqual([]);
    return { status, body: text };
  }

  function framed(bytes: Buffer): Buffer {
    const length = Buffer.alloc(8);
    writeNumber(length, 0, bytes.length);
    return Buffer.concat([length, bytes]);
  }

  it('refuses what is no snapshot', async () => {
    const batch = new FrameBatch();
    new MessageStreamEncoder().encode(messageOf(MessageType.Heartbeat, 1n, 2n), batch);
    expect(await post(Buffer.concat(batch.take()))).toEqual({
      status: 400,
      body: 'wrong raft message type\n',
    });
    expect(await post(framed(encodeMessage(message)).subarray(0, 20))).toEqual({
      status: 400,
      body: 'failed to decode raft message (unexpected EOF)\n',
    });
    const tooLong = Buffer.alloc(8);
    writeNumber(tooLong, 0, 64 * MEGABYTE + 1);
    expect(await post(tooLong)).toEqual({
      status: 400,
      body: 'failed to decode raft message (rafthttp: error limit exceeded)\n',
    });
  });
});
