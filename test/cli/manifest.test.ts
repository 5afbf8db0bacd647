import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Config } from '@oclif/core/config';
import { describe, expect, it } from 'vitest';
import { PACKAGE_VERSION } from '../../src/base/version.js';
import { findCommand } from '../../src/cli/args/command-tree.js';
import { faceTree } from '../../src/cli/face-tree.js';
import { readManifest } from '../../src/cli/manifest.js';
import { binaryPath } from '../support/binary.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = new URL('../../oclif.manifest.json', import.meta.url);

describe('oclif.manifest.json', () => {
  it('is committed as the build writes it', async () => {
    binaryPath('etcdkit');
    const { stdout } = await promisify(execFile)(
      'git',
      ['status', '--porcelain', 'oclif.manifest.json'],
      { cwd: root },
    );
    expect(stdout).toBe('');
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
        const found = findCommand(faceTree(face, commands), command.id.split(':'));
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
