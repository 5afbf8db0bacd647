import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .sort();
}

describe('generated codecs', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'etcdkit-generated-'));
    execFileSync(process.execPath, [join(ROOT, 'scripts/generate-proto.js'), folder]);
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are what the .proto files give', () => {
    const committed = join(ROOT, 'src/proto/gen');
    expect(filesOf(folder)).toEqual(filesOf(committed));
    for (const file of filesOf(committed)) {
      expect(readFileSync(folder + file, 'utf8'), file).toBe(
        readFileSync(committed + file, 'utf8'),
      );
    }
  });
});
