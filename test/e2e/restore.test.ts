import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { nodeFs } from '../../src/platform/node-fs.js';
import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import { BUCKETS } from '../../src/storage/backend/backend.js';
import { writeBboltFile } from '../../src/storage/bbolt/write-file.js';
import { encodeRevisionKey } from '../../src/storage/mvcc/revision-key.js';
import { binaryPath } from '../support/binary.js';
import { startBinary } from '../support/run-binary.js';
import { tempDir } from '../support/temp-dir.js';

const run = promisify(execFile);

const ROWS = 120_000;
const VALUE_BYTES = 300;

/** A database file of about 40 MB. */
async function largeFile(directory: string): Promise<string> {
  const path = join(directory, 'large.db');
  function* keys() {
    for (let row = 0; row < ROWS; row++) {
      const revision = row + 2;
      const keyValue = KeyValue.create({
        key: Buffer.from(`key-${row}`),
        value: Buffer.alloc(VALUE_BYTES, row),
        createRevision: revision,
        modRevision: revision,
        version: 1,
      });
      yield [encodeRevisionKey(revision, 0), KeyValue.encode(keyValue).finish()] as const;
    }
  }
  const rows = (bucket: string) => (bucket === 'key' ? keys() : []);
  await writeBboltFile(nodeFs, path, { buckets: BUCKETS, rows });
  return path;
}

describe.each(['etcdkit', 'etcd'])('snapshot restore --format %s', (format) => {
  it.skipIf(process.platform === 'win32')('leaves nothing on a disk that gets full', async () => {
    const directory = await tempDir();
    const path = await largeFile(directory);
    // A limit on the size of files fails a write half-way, as a full disk does.
    const limited = `trap '' XFSZ; ulimit -f 8000; exec "$0" "$@"`;
    const program = [limited, process.execPath, binaryPath('etcdutl')];
    const argv = ['snapshot', 'restore', path, '--skip-hash-check', '--format', format];
    const target = ['--data-dir', join(directory, 'data')];
    const failure = await run('/bin/sh', ['-c', ...program, ...argv, ...target]).then(
      () => undefined,
      (error: { code: number; stderr: string }) => error,
    );
    expect(failure?.code).toBe(1);
    expect(failure?.stderr).toMatch(/\nError: write .*\/member\/snap\/db.*: .*file too large.*\n$/);
    expect(await readdir(directory)).toEqual(['large.db']);
  });
});

describe('snapshot restore', () => {
  it.skipIf(process.platform === 'win32')('leaves nothing when it is interrupted', async () => {
    const directory = await tempDir();
    const path = await largeFile(directory);
    const data = join(directory, 'data');
    const argv = ['snapshot', 'restore', path, '--skip-hash-check'];
    const { child, done } = startBinary('etcdutl', [...argv, '--data-dir', data]);
    const database = join(`${data}.restore.tmp`, 'made/member/snap');
    // There is something to take back.
    const hasBegun = async () => {
      const names = await readdir(database).catch(() => []);
      const stats = names.map((name) => stat(join(database, name)).catch(() => undefined));
      return (await Promise.all(stats)).some((each) => (each?.size ?? 0) > 1_000_000);
    };
    while (child.exitCode === null && !(await hasBegun())) await nextTurn();
    child.kill('SIGINT');
    const { exitCode, stderr } = await done;
    expect(exitCode).toBe('SIGINT');
    expect(stderr).not.toContain('Error');
    expect(await readdir(directory)).toEqual(['large.db']);
  });
});
