import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** One import of a source file: of a sibling file (path from the root) or of a package. */
export interface Import {
  readonly target: string;
  readonly isPackage: boolean;
  /** `import type` and the like vanish at run time. */
  readonly isTypeOnly: boolean;
  /** `import()`: loaded only when reached. */
  readonly isLazy: boolean;
}

export interface SourceFile {
  /** Path from the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and string contents, for searching identifiers. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly lines: number;
}

/** All hand-written TypeScript files under `src`. */
export function sourceFiles(): SourceFile[] {
  return filesBelow(join(ROOT, 'src'))
    .filter((path) => path.endsWith('.ts') && !path.includes('/proto/gen/'))
    .map(readSource)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function readSource(absolute: string): SourceFile {
  const path = relative(ROOT, absolute).split('\\').join('/');
  const text = readFileSync(absolute, 'utf8');
  return {
    path,
    text,
    code: stripped(text),
    imports: importsOf(path, text),
    lines: text.split('\n').length - 1,
  };
}

const STATIC_IMPORT = /^(?:import|export)\s(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]/gm;
const LAZY_IMPORT = /\bimport\(\s*['"]([^'"]+)['"]\s*\)(\.\w)?/g;

function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  for (const [, type, name] of text.matchAll(STATIC_IMPORT)) {
    found.push({
      ...resolved(path, name as string),
      isTypeOnly: type !== undefined,
      isLazy: false,
    });
  }
  for (const [, name, member] of text.matchAll(LAZY_IMPORT)) {
    // `import('x').Type` in a type position is followed by a member access without a call.
    const isTypeOnly = member !== undefined && !text.includes(`await import('${name}')`);
    found.push({ ...resolved(path, name as string), isTypeOnly, isLazy: true });
  }
  return found;
}

function resolved(path: string, name: string): { target: string; isPackage: boolean } {
  if (!name.startsWith('.')) return { target: name, isPackage: true };
  const target = posix.normalize(posix.join(posix.dirname(path), name)).replace(/\.js$/, '.ts');
  return { target, isPackage: false };
}

/** Blanks comments and the insides of strings, keeping line breaks and template expressions. */
function stripped(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`\\])\/\/[^\n]*/g, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

/** Import cycles among files, each as the list of its files; type-only and lazy imports don't count. */
export function importCycles(files: readonly SourceFile[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const cycles: string[][] = [];
  const visit = (path: string): void => {
    state.set(path, 'open');
    trail.push(path);
    for (const { target, isPackage, isTypeOnly, isLazy } of byPath.get(path)?.imports ?? []) {
      if (isPackage || isTypeOnly || isLazy || !byPath.has(target)) continue;
      if (state.get(target) === 'open') cycles.push(trail.slice(trail.indexOf(target)));
      else if (state.get(target) === undefined) visit(target);
    }
    trail.pop();
    state.set(path, 'done');
  };
  for (const { path } of files) if (state.get(path) === undefined) visit(path);
  return cycles;
}
