import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Config } from '@oclif/core/config';
import { describe, expect, it } from 'vitest';
import { PACKAGE_VERSION } from '../../src/base/version.js';
import { findCommand } from '../../src/cli/args/command-tree.js';
import { commandWords, faceTree } from '../../src/cli/face-tree.js';
import { readManifest } from '../../src/cli/manifest.js';
import { binaryPath } from '../support/binary.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = new URL('../../oclif.manifest.json', import.meta.url);

/** Files that differ from the last commit. */
async function changedFiles(...paths: string[]): Promise<string[]> {
  const argv = ['diff', '--name-only', 'HEAD', '--', ...paths];
  const { stdout } = await promisify(execFile)('git', argv, { cwd: root });
  return stdout.split('\n').filter(Boolean);
}

describe('oclif.manifest.json', () => {
  it('is committed together with the commands it describes', async () => {
    binaryPath('etcdkit');
    const changed = await changedFiles('oclif.manifest.json', 'package.json', 'src');
    const stale = changed.length === 1 && changed[0] === 'oclif.manifest.json';
    expect(stale).toBe(false);
  });

  it('is what oclif finds in dist', async () => {
    binaryPath('etcdkit');
    const config = await Config.load({ root, ignoreManifest: true });
    expect(config.commandIDs.sort()).toEqual(Object.keys(readManifest(manifest)).sort());
    expect(config.bin).toBe('etcdkit');
    expect(config.topicSeparator).toBe(' ');
  });

  it('leads every command of a face to itself', () => {
    const commands = readManifest(manifest);
    for (const command of Object.values(commands)) {
      for (const face of command.faces) {
        const found = findCommand(faceTree(face, commands), commandWords(face, command.id));
        expect(found.node.id).toBe(command.id);
      }
      expect(command.summary).not.toBe('');
      expect(command.usage).not.toBe('');
    }
  });
});

describe('the version', () => {
  it('is that of the package', () => {
    const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
    expect(PACKAGE_VERSION).toBe(version);
  });
});
