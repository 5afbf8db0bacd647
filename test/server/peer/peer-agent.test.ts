import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MessageType } from '../../../src/raft/types.js';
import type { TlsConfig } from '../../../src/server/config/tls-config.js';
import { TestAuthority } from '../../support/certificates.js';
import {
  connectMembers,
  messageOf,
  type PeerMember,
  startPeerMember,
  untilConnected,
} from '../../support/peer-member.js';
import { peerTls } from '../../support/peer-tls.js';
import { tempDir } from '../../support/temp-dir.js';
import { until } from '../../support/until.js';

const running: PeerMember[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((member) => member.stop()));
});

async function startSecure(
  id: bigint,
  directory: string,
  settings: Partial<TlsConfig>,
): Promise<PeerMember> {
  const member = await startPeerMember({ id, ...(await peerTls(directory, settings)) });
  running.push(member);
  return member;
}

/** Sends a message there and back, by stream. */
async function exchange(a: PeerMember, b: PeerMember): Promise<void> {
  a.transport.send([messageOf(MessageType.Heartbeat, a.id, b.id)]);
  b.transport.send([messageOf(MessageType.HeartbeatResp, b.id, a.id)]);
  await until('both are there', () => [a, b].every(({ receiver }) => receiver.messages.length > 0));
}

/** Why the first dial of a member failed. */
async function dialFailure(from: PeerMember, to: PeerMember): Promise<string> {
  const { port } = new URL(to.url);
  return new Promise((resolve) => {
    const request = from.agents.request(`https://127.0.0.1:${port}`, {
      method: 'GET',
      path: '/raft/probing',
    });
    request.on('error', (error) => resolve(error.message));
    request.on('response', () => resolve('no failure'));
    request.end();
  });
}

function mutual(authority: TestAuthority, file: string, options = {}): Partial<TlsConfig> {
  const { certFile, keyFile } = authority.issue(file, options);
  return { certFile, keyFile, trustedCaFile: authority.caFile, clientCertAuth: true };
}

describe('connections to peers', () => {
  it('are mutually authenticated where the URL says https', async () => {
    const directory = await tempDir();
    const authority = new TestAuthority(directory);
    const a = await startSecure(1n, directory, mutual(authority, 'a'));
    const b = await startSecure(2n, directory, mutual(authority, 'b'));
    await connectMembers(a, b);
    await exchange(a, b);
  });

  it('show the certificate for dialing, if there is one of its own', async () => {
    const directory = await tempDir();
    const authority = new TestAuthority(directory);
    const dialing = authority.issue('dialing', { commonName: 'dialer' });
    const named = {
      clientCertFile: dialing.certFile,
      clientKeyFile: dialing.keyFile,
      allowedCommonNames: ['dialer', 'server'],
    };
    const settings = (file: string) => mutual(authority, file, { commonName: 'server' });
    const a = await startSecure(1n, directory, { ...settings('a'), ...named });
    const b = await startSecure(2n, directory, { ...settings('b'), ...named });
    await connectMembers(a, b);
    await exchange(a, b);
  });

  it('refuse a server of another authority, or of a name that is not allowed', async () => {
    const directory = await tempDir();
    const authority = new TestAuthority(directory);
    const other = new TestAuthority(directory, 'other');
    const a = await startSecure(1n, directory, mutual(authority, 'a'));
    const b = await startSecure(2n, directory, mutual(other, 'b'));
    expect(await dialFailure(a, b)).toMatch(/unable to verify|self.signed|local issuer/);
    const picky = await startSecure(3n, directory, {
      ...mutual(authority, 'c'),
      allowedCommonNames: ['somebody'],
    });
    expect(await dialFailure(picky, a)).toBe('client certificate authentication failed');
    const elsewhere = await startSecure(4n, directory, {
      ...mutual(authority, 'd', { names: ['example.com'] }),
    });
    expect(await dialFailure(a, elsewhere)).toMatch(/does not match|altnames/i);
  });

  it('read certificates anew each time', async () => {
    const directory = await tempDir();
    const authority = new TestAuthority(directory);
    const settings = mutual(authority, 'a', { endsInMillis: -1000 });
    const a = await startSecure(1n, directory, settings);
    const b = await startSecure(2n, directory, mutual(authority, 'b'));
    expect(await dialFailure(b, a)).toMatch(/expired/);
    const renewed = authority.issue('renewed');
    writeFileSync(join(directory, 'a.pem'), renewed.certificate);
    writeFileSync(join(directory, 'a-key.pem'), renewed.key);
    await connectMembers(a, b);
    await exchange(a, b);
  });

  it('are not verified with certificates that members made themselves', async () => {
    const [one, two] = [await tempDir(), await tempDir()];
    const a = await startSecure(1n, one, { isAutomatic: true });
    const b = await startSecure(2n, two, { isAutomatic: true });
    await connectMembers(a, b);
    await exchange(a, b);
  });

  it('go over unix sockets, too', async () => {
    const directory = await tempDir();
    const members: PeerMember[] = [];
    for (const id of [1n, 2n]) {
      const member = await startPeerMember({ id, url: `unix://${directory}/${id}.sock` });
      running.push(member);
      members.push(member);
    }
    const [a, b] = members;
    if (a === undefined || b === undefined) throw new Error('two members were started');
    await connectMembers(a, b);
    await untilConnected(a, b);
    await exchange(a, b);
  });
});
