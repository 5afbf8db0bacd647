import type { OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageType } from '../../../src/raft/types.js';
import { encodeMessage } from '../../../src/server/peer/message-codec.js';
import { messageOf, type PeerMember, startPeerMember } from '../../support/peer-member.js';
import { askPeer, introduction, type PeerAnswer } from '../../support/peer-request.js';
import { until } from '../../support/until.js';

const CLUSTER = 0xc1n;
const SENDER = 0xabn;

let member: PeerMember;

beforeEach(async () => {
  member = await startPeerMember({ id: 1n, clusterId: CLUSTER });
  member.transport.start();
});

afterEach(() => member.stop());

function ask(
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = 'GET',
  body?: Buffer,
): Promise<PeerAnswer> {
  const all = { ...introduction(SENDER, CLUSTER), 'X-Raft-To': '1', ...headers };
  return askPeer(member.port, path, all, method, body);
}

const post = (body: Buffer, headers: OutgoingHttpHeaders = {}): Promise<PeerAnswer> =>
  ask('/raft', headers, 'POST', body);

const heartbeat = encodeMessage(messageOf(MessageType.Heartbeat, SENDER, 1n));

describe('the endpoint of streams', () => {
  it('refuses in etcd’s order and with etcd’s texts', async () => {
    const stranger = '/raft/stream/message/ab';
    const old = { 'X-Server-Version': '2.3.8' };
    const elsewhere = { 'X-Etcd-Cluster-ID': '0c1' };
    expect(await ask('/raft/stream/nothing/xyz', { ...old, ...elsewhere }, 'POST')).toMatchObject({
      status: 405,
      body: 'Method Not Allowed\n',
      allow: 'GET',
    });
    for (const headers of [
      { ...old, ...elsewhere },
      { 'X-Min-Cluster-Version': '3.8.0' },
      { 'X-Server-Version': 'v3.7' },
      { 'X-Server-Version': '' },
    ]) {
      expect(await ask('/raft/stream/nothing/xyz', headers)).toMatchObject({
        status: 412,
        body: 'incompatible version\n',
        version: '3.7.1',
        clusterId: 'c1',
      });
    }
    expect(await ask('/raft/stream/nothing/xyz', elsewhere)).toMatchObject({
      status: 412,
      body: 'cluster ID mismatch\n',
      version: '3.7.1',
    });
    const notFound = (body: string) => ({ status: 404, body: `${body}\n`, version: '3.7.1' });
    expect(await ask('/raft/stream/nothing/xyz')).toMatchObject(notFound('invalid path'));
    expect(await ask('/raft/stream/message/xyz')).toMatchObject(notFound('invalid from'));
    expect(await ask(stranger)).toMatchObject(notFound('error sender not found'));
    member.receiver.removed.add(SENDER);
    expect(await ask(stranger)).toMatchObject({
      status: 410,
      body: 'removed member\n',
      version: '3.7.1',
    });
    member.receiver.removed.clear();
    member.transport.addPeer(SENDER, ['http://127.0.0.1:1']);
    expect(await ask(stranger, { 'X-Raft-To': '2' })).toMatchObject({
      status: 412,
      body: 'to field mismatch\n',
    });
  });

  it('gives the newest asker the stream and closes the one before', async () => {
    member.transport.addPeer(SENDER, ['http://127.0.0.1:1']);
    const first = ask('/raft/stream/message/ab').catch((error: Error) => error.message);
    await until('it is attached', () => member.transport.activeSince(SENDER) !== undefined);
    const second = ask('/raft/stream/message/ab').catch((error: Error) => error.message);
    expect(await first).toMatch(/aborted|socket hang up/);
    expect(member.logger.has('closed TCP streaming connection with remote peer')).toBe(true);
    member.transport.removePeer(SENDER);
    expect(await second).toMatch(/aborted|socket hang up/);
  });
});

describe('the endpoint of messages', () => {
  it('takes a message, and remembers where its sender is', async () => {
    expect(await post(heartbeat, { 'X-PeerURLs': 'http://127.0.0.1:1' })).toMatchObject({
      status: 204,
      body: '',
      clusterId: 'c1',
    });
    expect(member.receiver.messages).toEqual([messageOf(MessageType.Heartbeat, SENDER, 1n)]);
    expect(member.logger.has('added new remote peer')).toBe(true);
  });

  it('refuses with etcd’s texts', async () => {
    expect(await ask('/raft', {}, 'GET')).toMatchObject({ status: 405, allow: 'POST' });
    expect(await post(heartbeat, { 'X-Server-Version': '2.3.8' })).toMatchObject({
      status: 412,
      body: 'incompatible version\n',
      clusterId: 'c1',
    });
    expect(await post(heartbeat, { 'X-Etcd-Cluster-ID': 'C1' })).toMatchObject({
      status: 412,
      body: 'cluster ID mismatch\n',
    });
    expect(await post(Buffer.from([0x0f]))).toMatchObject({
      status: 400,
      body: 'error unmarshalling raft message\n',
    });
    expect(await post(encodeMessage(messageOf(MessageType.Hup, SENDER, 1n)))).toMatchObject({
      status: 500,
      body: 'error processing raft message\n',
    });
    expect(member.receiver.messages).toEqual([]);
  });

  it('stops a removed sender with a 403, and nobody else', async () => {
    const elsewhere = encodeMessage(messageOf(MessageType.Heartbeat, SENDER, 2n));
    expect(await post(elsewhere)).toMatchObject({ status: 412, body: 'to field mismatch\n' });
    member.receiver.removed.add(SENDER);
    expect(await post(heartbeat)).toMatchObject({
      status: 403,
      body: '{"message":"cannot process message from removed member"}',
    });
    expect(member.receiver.messages).toEqual([]);
  });

  it('drops a message that breaks off', async () => {
    const socket = connect(member.port, '127.0.0.1');
    const lines = Object.entries(introduction(SENDER, CLUSTER)).map(([name, value]) => {
      return `${name}: ${String(value)}`;
    });
    const head = ['POST /raft HTTP/1.1', 'Host: x', ...lines, 'Content-Length: 100', '', ''];
    socket.write(head.join('\r\n'));
    socket.write(heartbeat, () => socket.destroy());
    await until('it is noticed', () => member.logger.has('failed to read Raft message'));
    expect(member.receiver.messages).toEqual([]);
  });
});

describe('other paths', () => {
  it('answer probes, whatever the method', async () => {
    for (const method of ['GET', 'POST']) {
      const { status, body } = await ask('/raft/probing', {}, method);
      expect(status).toBe(200);
      expect(body.endsWith('\n')).toBe(true);
      const answer = JSON.parse(body) as { OK: boolean; Now: string };
      expect(answer.OK).toBe(true);
      expect(Math.abs(Date.parse(answer.Now) - Date.now())).toBeLessThan(60_000);
    }
  });

  it('are not found below /raft, and left alone elsewhere', async () => {
    expect(await ask('/raft/other')).toMatchObject({ status: 404, body: '404 page not found\n' });
    expect(await ask('/rafts')).toMatchObject({ status: 404, body: '' });
  });

  it('are refused before the member runs, and after', async () => {
    const early = await startPeerMember({ id: 2n, clusterId: CLUSTER });
    expect((await askPeer(early.port, '/raft/probing', {})).status).toBe(503);
    early.transport.start();
    expect((await askPeer(early.port, '/raft/probing', {})).status).toBe(200);
    await early.transport.stop();
    expect((await askPeer(early.port, '/raft/probing', {})).status).toBe(503);
    await early.stop();
  });
});
