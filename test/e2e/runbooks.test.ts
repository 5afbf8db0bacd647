import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { hasRealEtcd } from '../support/real-etcd.js';
import { stablePort } from '../support/stable-port.js';

const run = promisify(execFile);
const TIMEOUT_MILLIS = 60_000;

function runbook(name: string): string {
  return fileURLToPath(new URL(`../../docs/runbooks/${name}`, import.meta.url));
}

const ours = (name: 'etcd' | 'etcdctl'): string => `${process.execPath} ${binaryPath(name)}`;

describe.skipIf(!hasRealEtcd)('runbooks', () => {
  it.each([
    ['our members, our etcdctl', () => [ours('etcd'), ours('etcd'), ours('etcdctl')]],
    ['our members, the real etcdctl', () => [ours('etcd'), ours('etcd'), 'etcdctl']],
    ['real members, our etcdctl', () => ['etcd', 'etcd', ours('etcdctl')]],
    ['a real member among ours', () => [ours('etcd'), 'etcd', 'etcdctl']],
    ['our member among real ones', () => ['etcd', ours('etcd'), ours('etcdctl')]],
  ])(
    'mutual TLS: %s',
    async (_title, programs) => {
      const [ETCD, ETCD_2, ETCDCTL] = programs();
      const ports: number[] = [];
      while (ports.length < 6) ports.push(await stablePort());
      const PORTS = ports.join(' ');
      const { stdout } = await run(runbook('mutual-tls.sh'), {
        env: { ...process.env, ETCD, ETCD_2, ETCDCTL, PORTS },
        timeout: TIMEOUT_MILLIS,
      });
      expect(stdout).toContain('runbook\nworks\n');
      expect(stdout).toMatch(/HASH .* REVISION .* TOTAL KEYS/);
      expect(stdout.match(/[|│] started [|│]/g)).toHaveLength(3);
      expect(stdout.match(/[|│] +true [|│] +false [|│]/g)).toHaveLength(1);
      expect(stdout).toContain('runbook done');
    },
    TIMEOUT_MILLIS,
  );
});
