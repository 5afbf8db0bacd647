import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../support/temp-dir.js';

const ROOT = resolve(import.meta.dirname, '../..');

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .sort();
}

describe('generated codecs', () => {
  it('are what the .proto files give', { timeout: 60_000 }, async () => {
    const folder = await tempDir();
    execFileSync(process.execPath, [join(ROOT, 'scripts/generate-proto.js'), folder]);
    const committed = join(ROOT, 'src/proto/gen');
    expect(filesOf(folder)).toEqual(filesOf(committed));
    for (const file of filesOf(committed)) {
      expect(readFileSync(folder + file, 'utf8'), file).toBe(
        readFileSync(committed + file, 'utf8'),
      );
    }
  });
});
