import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRealEtcd } from '../support/real-etcd.js';
import { compareInvocation, openWorlds, startServers } from './compare.js';
import { AUTH } from './invocations/auth.js';
import { level } from './world.js';

describe.skipIf(!hasRealEtcd)('auth, user and role commands', () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let worlds: ReturnType<typeof openWorlds>;

  beforeAll(async () => {
    servers = await startServers(['--bcrypt-cost=4']);
    worlds = openWorlds(servers);
    await level(worlds.all);
  });

  afterAll(async () => {
    worlds?.close();
    await servers?.stop();
  });

  it.each(AUTH)('$name', async (invocation) => {
    await compareInvocation(worlds, invocation);
  });

  it('has a name of its own for every invocation', () => {
    const names = AUTH.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
