import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startEtcd } from '../src/testing.js';

describe('startEtcd', () => {
  it.each(['memory', 'disk'] as const)('serves from %s and leaves no trace', async (storage) => {
    const etcd = await startEtcd({ storage });
    const response = await fetch(`${etcd.url}/health`);
    expect(await response.json()).toEqual({ health: 'true', reason: '' });
    await etcd.stop();
    await etcd.stop();
    await expect(fetch(`${etcd.url}/health`)).rejects.toThrow();
    if (etcd.dataDirectory !== undefined) expect(existsSync(etcd.dataDirectory)).toBe(false);
  });

  it('runs several members side by side', async () => {
    const members = await Promise.all([startEtcd(), startEtcd(), startEtcd({ storage: 'disk' })]);
    expect(new Set(members.map(({ endpoint }) => endpoint)).size).toBe(3);
    await Promise.all(members.map((member) => member.stop()));
  });

  it('says what is wrong with a flag', async () => {
    await expect(startEtcd({ flags: ['--no-such-flag'] })).rejects.toThrow(
      'flag provided but not defined: -no-such-flag',
    );
  });
});
