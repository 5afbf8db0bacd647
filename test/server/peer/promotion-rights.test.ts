import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVICES } from '../../../src/proto/services.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';
import { GrpcClient } from '../../support/grpc-client.js';
import { freePort } from '../../support/loopback.js';

const { auth } = SERVICES;
const UNKNOWN = '10276657743932975437';

describe('a promotion that another member passes on', () => {
  let etcd: TestEtcd;
  let client: GrpcClient;
  let peerUrl: string;
  const tokens = new Map<string, string>();

  beforeAll(async () => {
    peerUrl = `http://127.0.0.1:${await freePort()}`;
    etcd = await startEtcd({
      flags: [
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=default=${peerUrl}`,
        '--bcrypt-cost=4',
      ],
    });
    client = new GrpcClient(etcd.endpoint);
    await client.unary(auth.roleAdd, { name: 'root' });
    for (const name of ['root', 'user']) {
      await client.unary(auth.userAdd, { name, password: 'secret' });
    }
    await client.unary(auth.userGrantRole, { user: 'root', role: 'root' });
    await client.unary(auth.authEnable, {});
    for (const name of ['root', 'user']) {
      const { token } = await client.unary(auth.authenticate, { name, password: 'secret' });
      tokens.set(name, token);
    }
  });

  afterAll(async () => {
    client.close();
    await etcd.stop();
  });

  async function promote(headers: Record<string, string>): Promise<number> {
    const url = `${peerUrl}/members/promote/${UNKNOWN}`;
    const answer = await fetch(url, { method: 'POST', headers });
    await answer.text();
    return answer.status;
  }

  it('is judged by the token of whoever asked for it', async () => {
    const authorization = (name: string) => ({ authorization: tokens.get(name) ?? '' });
    expect(await promote(authorization('root'))).toBe(404);
    expect(await promote(authorization('user'))).toBe(500);
    expect(await promote({ authorization: 'forged.1' })).toBe(500);
    expect(await promote({})).toBe(500);
  });
});
