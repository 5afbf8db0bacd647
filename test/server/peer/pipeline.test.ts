import { afterEach, describe, expect, it } from 'vitest';
import { MessageType } from '../../../src/raft/types.js';
import { decodeMessage } from '../../../src/server/peer/message-codec.js';
import { serveHttp } from '../../support/http-server.js';
import { messageOf, type PeerMember, startPeerMember } from '../../support/peer-member.js';
import { until } from '../../support/until.js';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A peer that takes posted messages, and whose connection breaks at the second one. */
async function breakingPeer(): Promise<{ readonly url: string; readonly taken: MessageType[] }> {
  const taken: MessageType[] = [];
  const server = await serveHttp((request, response) => {
    if (request.method !== 'POST') return false;
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      taken.push(decodeMessage(Buffer.concat(parts)).type);
      if (taken.length === 2) request.socket.resetAndDestroy();
      else response.writeHead(204).end();
    });
    return true;
  });
  cleanups.push(() => server.close());
  return { url: server.url, taken };
}

async function sender(url: string): Promise<PeerMember> {
  const member = await startPeerMember({ id: 1n });
  cleanups.push(() => member.stop());
  member.transport.addPeer(2n, [url]);
  return member;
}

describe('a posted message whose connection breaks', () => {
  it('is posted again', async () => {
    const { url, taken } = await breakingPeer();
    const { transport } = await sender(url);
    transport.send([messageOf(MessageType.Heartbeat, 1n, 2n)]);
    await until('the first is answered', () => transport.activeSince(2n) !== undefined);
    transport.send([messageOf(MessageType.AppResp, 1n, 2n)]);
    await until('the second came twice', () => taken.length === 3);
    expect(taken).toEqual([MessageType.Heartbeat, MessageType.AppResp, MessageType.AppResp]);
  });

  it('is not if it is a proposal, which the peer may have taken', async () => {
    const { url, taken } = await breakingPeer();
    const { transport, receiver } = await sender(url);
    transport.send([messageOf(MessageType.Heartbeat, 1n, 2n)]);
    await until('the first is answered', () => transport.activeSince(2n) !== undefined);
    transport.send([messageOf(MessageType.Prop, 1n, 2n)]);
    await until('it is reported', () => receiver.unreachable.length === 1);
    transport.send([messageOf(MessageType.Heartbeat, 1n, 2n)]);
    await until('another one is there', () => taken.length === 3);
    expect(taken).toEqual([MessageType.Heartbeat, MessageType.Prop, MessageType.Heartbeat]);
  });
});
