import { describe, expect, it } from 'vitest';
import { importCycles, type SourceFile, sourceFiles } from './sources.js';

const files = sourceFiles();

/** A file may import from its own room and from the rooms named here. */
const ROOM_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  platform: ['base'],
  proto: ['base'],
  raft: ['base', 'platform', 'proto'],
  storage: ['base', 'platform', 'proto'],
  recipes: ['base', 'proto'],
  server: ['base', 'platform', 'proto', 'raft', 'storage', 'recipes'],
  offline: ['base', 'platform', 'proto', 'storage'],
  client: ['base', 'platform', 'proto', 'recipes'],
  cli: ['base', 'platform', 'proto', 'client', 'recipes', 'offline', 'server'],
  commands: ['base', 'platform', 'proto', 'client', 'recipes', 'offline', 'server', 'cli'],
};

/** Rooms that must give the same answer for the same input. */
const PURE = [
  'src/base/',
  'src/proto/',
  'src/raft/',
  'src/recipes/',
  'src/storage/mvcc/',
  'src/server/lease/',
  'src/server/watch/',
  'src/server/apply/',
  'src/server/membership/',
  'src/server/auth/',
  'src/server/alarm/',
  'src/server/compactor/',
];

const IMPURE_CODE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\(|\bperformance\.|\bprocess\.|\bconsole\./;
const IMPURE_MODULE =
  /^node:(fs|net|http|http2|https|tls|dns|dgram|child_process|worker_threads|timers|perf_hooks|os|process)/;

const SOCKET_MODULE = /^node:(net|http|http2|https|tls|dns|dgram)|^@grpc\//;
const SOCKET_ROOMS = [
  'src/server/rpc/',
  'src/server/gateway/',
  'src/server/http/',
  'src/server/peer/',
  'src/server/tls/',
  'src/server/bootstrap/',
  'src/client/',
  'src/platform/',
];

const FILE_MODULE = /^node:fs/;
const FILE_ROOMS = [
  'src/storage/backend/',
  'src/server/config/',
  'src/server/logging/',
  'src/platform/',
  'src/cli/',
  // Makes and removes the temporary directory of a test.
  'src/testing.ts',
];

function isBelow(file: SourceFile, rooms: readonly string[]): boolean {
  return rooms.some((room) => file.path.startsWith(room));
}

function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** The packages and modules that a file loads at run time. */
function loadedPackages(file: SourceFile): string[] {
  return file.imports
    .filter(({ isPackage, isTypeOnly }) => isPackage && !isTypeOnly)
    .map(({ target }) => target);
}

describe('the house', () => {
  it('has sources to look at', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.some(({ imports }) => imports.length > 0)).toBe(true);
  });

  it('lets imports point one way', () => {
    const wrong: string[] = [];
    for (const { path, imports } of files) {
      const room = roomOf(path);
      if (room === undefined) continue;
      const allowed = ROOM_IMPORTS[room];
      if (allowed === undefined) wrong.push(`${path}: unknown room ${room}`);
      for (const { target, isPackage } of imports) {
        const other = isPackage ? undefined : roomOf(target);
        if (other !== undefined && other !== room && !allowed?.includes(other)) {
          wrong.push(`${path} imports ${target}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('loads the server only when a command needs it', () => {
    const eager = files
      .filter(({ path }) => /^src\/(commands|cli)\//.test(path))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ target, isTypeOnly, isLazy }) => {
            return roomOf(target) === 'server' && !isTypeOnly && !isLazy;
          })
          .map(({ target }) => `${path} imports ${target}`),
      );
    expect(eager).toEqual([]);
  });

  it('has no import cycles', () => {
    expect(importCycles(files)).toEqual([]);
  });

  it('keeps clock, randomness, files and sockets out of the pure core', () => {
    const wrong: string[] = [];
    for (const file of files) {
      if (!isBelow(file, PURE)) continue;
      const code = IMPURE_CODE.exec(file.code)?.[0];
      if (code !== undefined) wrong.push(`${file.path} uses ${code}`);
      for (const name of loadedPackages(file)) {
        if (IMPURE_MODULE.test(name)) wrong.push(`${file.path} imports ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('keeps the clock and randomness to the platform', () => {
    const wrong = files
      .filter((file) => isBelow(file, ['src/server/', 'src/storage/', 'src/offline/']))
      .filter(({ code }) => /\bDate\.now\b|\bMath\.random\b|\bset(?:Timeout|Interval)\(/.test(code))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  it('keeps sockets and files to the rooms that own them', () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const name of loadedPackages(file)) {
        if (SOCKET_MODULE.test(name) && !isBelow(file, SOCKET_ROOMS)) {
          wrong.push(`${file.path} imports ${name}`);
        }
        if (FILE_MODULE.test(name) && !isBelow(file, FILE_ROOMS)) {
          wrong.push(`${file.path} imports ${name}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('leaves process and console to the command line', () => {
    const wrong = files
      .filter((file) => !isBelow(file, ['src/cli/', 'src/commands/', 'src/platform/']))
      .filter(({ code }) =>
        /\bprocess\.(exit|argv|env|stdout|stderr|stdin|on)\b|\bconsole\./.test(code),
      )
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  it('has no unfinished work and no silenced checks', () => {
    const wrong = files
      .filter(({ text }) =>
        /\bTODO\b|\bFIXME\b|@ts-ignore|@ts-expect-error|not implemented/i.test(text),
      )
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  it('keeps files to a size one reads in a sitting', () => {
    const large = files
      .filter(({ lines }) => lines > 400)
      .map((f) => `${f.path}: ${f.lines} lines`);
    if (large.length > 0) console.info(`files over 400 lines:\n  ${large.join('\n  ')}`);
    expect(files.filter(({ lines }) => lines > 600).map(({ path }) => path)).toEqual([]);
  });
});
