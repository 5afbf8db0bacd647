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

  it('are run often, and by all kinds of users', () => {
    const commands = AUTH.filter(({ argv }) => {
      return argv.slice(0, 2).some((word) => ['auth', 'user', 'role'].includes(word));
    });
    const by = (user: string) => commands.filter(({ argv }) => argv.includes(`--user=${user}`));
    expect(commands.length).toBeGreaterThanOrEqual(60);
    expect(by('root:rootpw').length).toBeGreaterThanOrEqual(10);
    expect(by('alice:alicepw').length).toBeGreaterThanOrEqual(10);
    expect(commands.filter(({ name }) => name.endsWith(' as nobody')).length).toBeGreaterThan(10);
  });
});
