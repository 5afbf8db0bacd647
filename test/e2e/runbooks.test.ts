import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { freePort, hasRealEtcd } from '../support/real-etcd.js';

const run = promisify(execFile);

function runbook(name: string): string {
  return fileURLToPath(new URL(`../../docs/runbooks/${name}`, import.meta.url));
}

const ours = (name: 'etcd' | 'etcdctl'): string => `${process.execPath} ${binaryPath(name)}`;

describe.skipIf(!hasRealEtcd)('runbooks', () => {
  it.each([
    ['our server, our etcdctl', () => [ours('etcd'), ours('etcdctl')]],
    ['our server, the real etcdctl', () => [ours('etcd'), 'etcdctl']],
    ['the real server, our etcdctl', () => ['etcd', ours('etcdctl')]],
  ])('mutual TLS: %s', async (_title, programs) => {
    const [ETCD, ETCDCTL] = programs();
    const PORT = String(await freePort());
    const PEER_PORT = String(await freePort());
    const { stdout } = await run(runbook('mutual-tls.sh'), {
      env: { ...process.env, ETCD, ETCDCTL, PORT, PEER_PORT },
      timeout: 60_000,
    });
    expect(stdout).toContain('runbook\nworks\n');
    expect(stdout).toMatch(/HASH .* REVISION .* TOTAL KEYS/);
    expect(stdout).toContain('runbook done');
  });
});
