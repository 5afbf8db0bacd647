import http from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { MessageType } from '../../../src/raft/types.js';
import { FrameBatch } from '../../../src/server/peer/frame-batch.js';
import { createEncoder } from '../../../src/server/peer/stream-codec.js';
import { listenOnLoopback } from '../../support/loopback.js';
import {
  messageOf,
  type PeerMember,
  type PeerMemberOptions,
  startPeerMember,
} from '../../support/peer-member.js';
import { until } from '../../support/until.js';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A peer that answers requests for streams as it is told. */
async function startFakePeer(answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer);
  const port = await listenOnLoopback(server);
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${port}`;
}

async function dial(
  urls: readonly string[],
  options: Partial<PeerMemberOptions> = {},
): Promise<PeerMember> {
  const member = await startPeerMember({ id: 1n, ...options });
  cleanups.push(() => member.stop());
  member.transport.addPeer(2n, urls);
  member.transport.start();
  return member;
}

const refuse =
  (status: number, body: string, headers: http.OutgoingHttpHeaders = {}): http.RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'X-Server-Version': '3.7.1', ...headers });
    response.end(body);
  };

function isStream(request: http.IncomingMessage): boolean {
  return request.url?.startsWith('/raft/stream/') === true;
}

describe('who dials a stream', () => {
  it('introduces itself', async () => {
    const seen: http.IncomingMessage[] = [];
    const url = await startFakePeer((request, response) => {
      seen.push(request);
      refuse(404, 'no')(request, response);
    });
    const member = await dial([url], { id: 0xfedc_ba98_7654_3210n });
    await until('both streams are dialed', () => seen.length >= 2);
    expect(new Set(seen.slice(0, 2).map((request) => request.url))).toEqual(
      new Set(['/raft/stream/msgapp/fedcba9876543210', '/raft/stream/message/fedcba9876543210']),
    );
    expect(seen[0]?.headers).toMatchObject({
      'x-server-from': 'fedcba9876543210',
      'x-server-version': '3.7.1',
      'x-min-cluster-version': '3.0.0',
      'x-etcd-cluster-id': 'c1',
      'x-raft-to': '2',
      'x-peerurls': member.url,
    });
  });

  it('stops when it hears that it was removed', async () => {
    const url = await startFakePeer(refuse(410, 'removed member\n'));
    const member = await dial([url]);
    await until('it knows', () => member.receiver.removals > 0);
  });

  it('stops when a message of it is refused as that of a removed member', async () => {
    const url = await startFakePeer((request, response) => {
      if (isStream(request)) refuse(404, '')(request, response);
      else
        refuse(403, '{"message":"cannot process message from removed member"}')(request, response);
    });
    const member = await dial([url]);
    member.transport.send([messageOf(MessageType.Vote, 1n, 2n)]);
    await until('it knows', () => member.receiver.removals > 0);
    expect(member.receiver.unreachable).toEqual([2n]);
  });

  it('goes on after a refusal of which the end never comes', async () => {
    let dials = 0;
    const url = await startFakePeer((request, response) => {
      if (request.url?.includes('msgapp') === true) dials++;
      response.writeHead(412, { 'X-Server-Version': '3.7.1' });
      response.write('to fie');
    });
    await dial([url], { readTimeoutMillis: 1100, dialTimeoutMillis: 100 });
    await until('it has tried again', () => dials >= 2);
  });

  it.each([
    [404, 'error sender not found\n'],
    [412, 'to field mismatch\n'],
    [500, 'oops\n'],
  ])('goes on after a %i, at most once in 100 ms', async (status, body) => {
    let dials = 0;
    const url = await startFakePeer((request, response) => {
      if (request.url?.includes('msgapp') === true) dials++;
      refuse(status, body)(request, response);
    });
    const start = performance.now();
    const member = await dial([url]);
    await until('it has tried again', () => dials >= 4);
    expect(performance.now() - start).toBeGreaterThan(290);
    expect(member.receiver.removals).toBe(0);
    expect(member.transport.activeSince(2n)).toBeUndefined();
  });

  it('says why it is ignored', async () => {
    const reasons = ['cluster ID mismatch', 'incompatible version'];
    const url = await startFakePeer((request, response) => {
      const reason = reasons[request.url?.includes('msgapp') === true ? 0 : 1];
      refuse(412, `${reason}\n`, { 'X-Etcd-Cluster-ID': 'ff' })(request, response);
    });
    const member = await dial([url]);
    await until('both are logged', () =>
      [
        'request sent was ignored by remote peer due to cluster ID mismatch',
        'request sent was ignored by remote peer due to server version incompatibility',
      ].every((text) => member.logger.has(text)),
    );
  });

  it('takes a peer without a version for one without streams', async () => {
    let dials = 0;
    const url = await startFakePeer((_request, response) => {
      dials++;
      response.end();
    });
    const member = await dial([url]);
    await until('it has tried again', () => dials >= 4);
    expect(member.logger.has('established TCP streaming connection with remote peer')).toBe(false);
  });

  it('tries the other URLs of a peer', async () => {
    const url = await startFakePeer((request, response) => {
      if (!isStream(request)) return;
      response.writeHead(200, { 'X-Server-Version': '3.4.23' });
      response.flushHeaders();
    });
    const member = await dial(['http://127.0.0.1:1', 'http://[::1]:1', url]);
    await until('it is connected', () => member.transport.activeSince(2n) !== undefined);
  });

  it('leaves a stream that is silent, and dials again', async () => {
    let streams = 0;
    const url = await startFakePeer((request, response) => {
      if (!isStream(request)) return;
      streams++;
      response.writeHead(200, { 'X-Server-Version': '3.7.1' });
      response.flushHeaders();
    });
    const member = await dial([url], { readTimeoutMillis: 1200 });
    await until('it was left', () =>
      member.logger.lines.some(({ fields }) => fields?.error === 'i/o timeout'),
    );
    await until('it has dialed again', () => streams > 2);
  });

  it('leaves a stream that is garbled, and dials again', async () => {
    let streams = 0;
    const url = await startFakePeer((request, response) => {
      if (!isStream(request)) return;
      streams++;
      response.writeHead(200, { 'X-Server-Version': '3.7.1' });
      const isFirst = streams <= 2;
      const batch = new FrameBatch();
      const kind = request.url?.includes('msgapp') === true ? 'msgapp' : 'message';
      createEncoder(kind).encode(messageOf(MessageType.App, 2n, 1n, { index: streams }), batch);
      const garbage = Buffer.from('7f'.repeat(9), 'hex');
      response.write(isFirst ? garbage : Buffer.concat(batch.take()));
    });
    const member = await dial([url]);
    await until('both streams work', () => member.receiver.messages.length >= 2);
    const errors = member.logger.lines.map(({ fields }) => fields?.error);
    expect(errors).toContain('rafthttp: error limit exceeded');
    expect(errors).toContain('failed to parse type 127 in msgappv2 stream');
  });

  it('refuses messages that are not for it, or come from a removed member', async () => {
    const url = await startFakePeer((request, response) => {
      if (request.url?.includes('/message/') !== true) return;
      response.writeHead(200, { 'X-Server-Version': '3.7.1' });
      const batch = new FrameBatch();
      const encoder = createEncoder('message');
      encoder.encode(messageOf(MessageType.Heartbeat, 2n, 9n), batch);
      encoder.encode(messageOf(MessageType.Heartbeat, 3n, 1n), batch);
      encoder.encode(messageOf(MessageType.SnapStatus, 2n, 1n), batch);
      encoder.encode(messageOf(MessageType.TimeoutNow, 2n, 1n), batch);
      response.write(Buffer.concat(batch.take()));
    });
    const member = await startPeerMember({ id: 1n });
    cleanups.push(() => member.stop());
    member.receiver.removed.add(3n);
    member.transport.addPeer(2n, [url]);
    member.transport.start();
    await until('a message is there', () => member.receiver.messages.length > 0);
    expect(member.receiver.messages).toEqual([messageOf(MessageType.TimeoutNow, 2n, 1n)]);
  });
});
