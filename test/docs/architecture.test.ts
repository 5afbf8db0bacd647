import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeSpans, ROOT, readDocument } from './markdown.js';

/** Files that are made by installing and building, not kept. */
const MADE = ['dist/', 'node_modules/'];

/** All files that the repository keeps. */
const files = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));

/** `src/{a,b}/` -> `src/a/`, `src/b/`. */
function expandBraces(path: string): string[] {
  const match = /^(.*)\{(.*)\}(.*)$/.exec(path);
  if (match === null) return [path];
  const [, before = '', choices = '', after = ''] = match;
  return choices.split(',').map((choice) => before + choice + after);
}

/** Names of files and folders among the code of a text: with a slash, or with a file's ending. */
function namedPaths(text: string): string[] {
  return codeSpans(text)
    .filter((code) => /^[\w.{},-]+(\/[\w.{},-]+)*\/?$/.test(code))
    .filter((code) => !code.startsWith('..'))
    .filter((code) => code.includes('/') || /[^.]\.(ts|js|md|json)$/.test(code))
    .flatMap(expandBraces);
}

/** A name may leave out the folders before it, where the text has just named them. */
function isThere(name: string): boolean {
  const path = `/${name}`;
  return files.some((file) => {
    const rooted = `/${file}`;
    return rooted.endsWith(path) || rooted.includes(path.endsWith('/') ? path : `${path}/`);
  });
}

describe('docs/ARCHITECTURE.md', () => {
  const paths = namedPaths(readDocument('docs/ARCHITECTURE.md'));

  it('names files and folders that exist', () => {
    expect(paths.length).toBeGreaterThan(40);
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('names every room of the source', () => {
    const rooms = new Set(
      files
        .map((file) => /^(src\/(?:server\/|storage\/)?[\w-]+\/)/.exec(file)?.[1])
        .filter((room) => room !== undefined),
    );
    const named = (room: string): boolean => paths.some((path) => path.startsWith(room));
    expect([...rooms].filter((room) => !named(room))).toEqual([]);
  });
});

describe('links', () => {
  const documents = files.filter((file) => file.endsWith('.md'));

  it.each(documents)('of %s lead somewhere', (document) => {
    const targets = [...readDocument(document).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => join(dirname(document), target))
      .filter((target) => !MADE.some((folder) => target.startsWith(folder)));
    expect(targets.filter((target) => !existsSync(join(ROOT, target)))).toEqual([]);
  });
});
