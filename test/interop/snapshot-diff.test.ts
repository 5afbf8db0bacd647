import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import SnapshotDiff from '../../src/commands/snapshot/diff.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runCommand } from '../support/run-command.js';
import { tempDir } from '../support/temp-dir.js';

describe.skipIf(!hasRealEtcd)('snapshot diff', () => {
  it('shows what happened between a snapshot and now, and is silent of what did not', async () => {
    const real = await startRealEtcd({ flags: ['--unsafe-no-fsync'] });
    try {
      const path = join(await tempDir(), 'before.db');
      for (const key of ['kept', 'changed', 'removed', 'touched']) real.ctl(['put', key, '1']);
      real.ctl(['snapshot', 'save', path]);
      expect(await runCommand(SnapshotDiff, [path, real.endpoint])).toEqual({
        stdout: '0 added, 0 removed, 0 changed\n',
        stderr: '',
        exitCode: 0,
      });
      real.ctl(['put', 'changed', '22']);
      real.ctl(['put', 'touched', '1']);
      real.ctl(['del', 'removed']);
      real.ctl(['put', 'added', 'x']);
      const { stdout, exitCode } = await runCommand(SnapshotDiff, [path, real.endpoint]);
      expect(stdout).toBe(
        [
          '+ "added" (revision 9, version 1, 1 bytes)',
          '~ "changed" (revision 3, version 1, 1 bytes -> revision 6, version 2, 2 bytes)',
          '- "removed" (revision 4, version 1, 1 bytes)',
          '1 added, 1 removed, 1 changed',
          '',
        ].join('\n'),
      );
      expect(exitCode).toBe(1);
      const all = await runCommand(SnapshotDiff, [path, real.endpoint, '--revisions', '-wjson']);
      const lines = all.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.map(({ kind }) => kind)).toEqual([
        'added',
        'changed',
        'removed',
        'changed',
        undefined,
      ]);
      expect(lines[3]).toMatchObject({
        key: Buffer.from('touched').toString('base64'),
        before: { mod_revision: 5, version: 1 },
        after: { mod_revision: 7, version: 2 },
      });
      expect(lines[4]).toEqual({ summary: { added: 1, removed: 1, changed: 2 } });
    } finally {
      await real.stop();
    }
  });

  it('has trouble with what is not there', async () => {
    const { stderr, exitCode } = await runCommand(SnapshotDiff, ['/nowhere/a', '/nowhere/b']);
    expect(stderr).toBe('Error: stat /nowhere/a: no such file or directory\n');
    expect(exitCode).toBe(2);
  });
});
