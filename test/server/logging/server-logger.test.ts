import { readdir, readFile } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeFs } from '../../../src/platform/node-fs.js';
import type { LogConfig } from '../../../src/server/config/server-config.js';
import {
  earlyLogger,
  openServerLog,
  replayLogs,
  type ServerLog,
} from '../../../src/server/logging/server-logger.js';
import { tempDir } from '../../support/temp-dir.js';

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

let zoneBefore: string | undefined;

beforeAll(() => {
  zoneBefore = process.env.TZ;
  process.env.TZ = 'Asia/Kolkata';
});

afterAll(() => {
  if (zoneBefore === undefined) delete process.env.TZ;
  else process.env.TZ = zoneBefore;
});

interface Opened {
  readonly log: ServerLog;
  readonly stderr: string[];
  readonly stdout: string[];
  readonly clock: { now: number };
}

async function open(
  config: Partial<LogConfig> = {},
  isTerminal = false,
  hasColours = true,
): Promise<Opened> {
  const stderr: string[] = [];
  const stdout: string[] = [];
  const clock = { now: TIME };
  const log = await openServerLog(
    {
      level: 'info',
      format: 'json',
      formatIsSet: false,
      outputs: ['default'],
      rotation: undefined,
      ...config,
    },
    {
      clock: { wallMillis: () => clock.now },
      fs: nodeFs,
      stderr: (text) => void stderr.push(text),
      stdout: (text) => void stdout.push(text),
      stderrIsTerminal: isTerminal,
      hasColours,
    },
  );
  return { log, stderr, stdout, clock };
}

describe('JSON lines', () => {
  it('have the keys of etcd in the order of etcd', async () => {
    const { log, stderr } = await open();
    log.logger.at('embed/etcd.go:140').info('a "message"', {
      n: 1,
      id: 12345678901234567890n,
      list: ['a', 'b'],
      none: [],
      error: new Error('disk full'),
      at: new Date(TIME),
      bytes: Uint8Array.of(1, 2),
      map: new Map([['k', 1]]),
      nothing: undefined,
      on: true,
      nan: Number.NaN,
    });
    expect(stderr).toEqual([
      '{"level":"info","ts":"2026-01-02T08:34:05.006000+0530","caller":"embed/etcd.go:140","msg":"a \\"message\\"","n":1,"id":12345678901234567890,"list":["a","b"],"none":[],"error":"disk full","at":"2026-01-02T08:34:05.006000+0530","bytes":"AQI=","map":{"k":1},"nothing":null,"on":true,"nan":"NaN"}\n',
    ]);
  });

  it('carry the name of the logger, always a caller, and a stack from error on', async () => {
    const { log, stderr } = await open();
    log.logger.named('raft').named('node').warn('w');
    log.logger.error('e', { a: 1 });
    expect(Object.keys(JSON.parse(stderr[0] ?? ''))).toEqual([
      'level',
      'ts',
      'logger',
      'caller',
      'msg',
    ]);
    expect(JSON.parse(stderr[0] ?? '')).toMatchObject({ logger: 'raft.node' });
    const line = JSON.parse(stderr[1] ?? '');
    expect(Object.keys(line)).toEqual(['level', 'ts', 'caller', 'msg', 'a', 'stacktrace']);
    expect(line.caller).not.toBe('');
    expect(line.stacktrace.split('\n')[0]).toContain('server-logger.test.ts');
  });

  it('write the zone as Z in UTC', async () => {
    process.env.TZ = 'UTC';
    const { log, stderr } = await open();
    log.logger.info('m');
    process.env.TZ = 'Asia/Kolkata';
    expect(JSON.parse(stderr[0] ?? '').ts).toBe('2026-01-02T03:04:05.006000Z');
  });

  it('never fail, whatever the fields', async () => {
    const { log, stderr } = await open();
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    log.logger.info('m', { cyclic, f: () => 1, s: Symbol('x') });
    expect(() => JSON.parse(stderr[0] ?? '')).not.toThrow();
  });
});

describe('levels', () => {
  it('hide what lies below', async () => {
    const { log, stderr } = await open({ level: 'warn' });
    log.logger.debug('d');
    log.logger.info('i');
    log.logger.warn('w');
    log.logger.fatal('f');
    expect(stderr.map((line) => JSON.parse(line).level)).toEqual(['warn', 'fatal']);
  });
});

describe('other formats', () => {
  it('console: columns, fields with blanks, the stack below', async () => {
    const { log, stderr } = await open({ format: 'console', formatIsSet: true }, true);
    log.logger
      .at('a/b.ts')
      .named('raft')
      .info('m', { k: 'v', n: [1, 2] });
    log.logger.at('a/b.ts').info('plain');
    log.logger.at('a/b.ts').error('bad');
    expect(stderr[0]).toBe(
      '2026-01-02T08:34:05.006000+0530\tinfo\traft\ta/b.ts\tm\t{"k": "v", "n": [1, 2]}\n',
    );
    expect(stderr[1]).toBe('2026-01-02T08:34:05.006000+0530\tinfo\ta/b.ts\tplain\n');
    expect(stderr[2]).toMatch(/\terror\ta\/b.ts\tbad\nat .*\n/);
  });

  it('for people, at a terminal, unless a format was asked for', async () => {
    const people = await open({}, true);
    people.log.logger.named('raft').warn('slow disk', { took: '1.5s', why: 'two words' });
    expect(people.stderr[0]).toContain('\u001b[33mWARN \u001b[39m');
    const line = '08:34:05.006 WARN  raft: slow disk took=1.5s why="two words"\n';
    expect(stripVTControlCharacters(people.stderr[0] ?? '')).toBe(line);
    const plain = await open({}, true, false);
    plain.log.logger.named('raft').warn('slow disk', { took: '1.5s', why: 'two words' });
    expect(plain.stderr[0]).toBe(line);
    const json = await open({ formatIsSet: true }, true);
    json.log.logger.info('m');
    expect(json.stderr[0]).toMatch(/^{"level"/);
    const both = await open({ outputs: ['stderr', 'stdout'] }, true);
    both.log.logger.info('m');
    expect(both.stderr[0]).not.toMatch(/^{/);
    expect(both.stdout[0]).toMatch(/^{"level"/);
  });
});

describe('sampling', () => {
  it('lets a hundred lines of a kind pass in a second, then every hundredth', async () => {
    const { log, stderr, clock } = await open();
    for (let line = 0; line < 350; line++) log.logger.info('same', { line });
    log.logger.warn('same');
    log.logger.info('other');
    expect(stderr).toHaveLength(104);
    expect(JSON.parse(stderr[100] ?? '').line).toBe(199);
    clock.now += 1000;
    log.logger.info('same');
    expect(stderr).toHaveLength(105);
  });
});

describe('lines from before', () => {
  it('are written as JSON, or kept until there is a logger', async () => {
    const lines: string[] = [];
    const logger = earlyLogger({ wallMillis: () => TIME }, (text) => void lines.push(text));
    replayLogs(logger, [
      { level: 'debug', message: 'hidden' },
      { level: 'warn', message: 'w', fields: { a: 1 } },
      { level: 'fatal', message: 'f' },
    ]);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['w', 'f']);
  });
});

describe('files', () => {
  it('get every line, behind what is there', async () => {
    const path = `${await tempDir()}/etcd.log`;
    for (const start of [0, 50]) {
      const { log } = await open({ outputs: [path] });
      for (let line = start; line < start + 50; line++) log.logger.info(`line ${line}`);
      await log.close();
    }
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(
      Array.from({ length: 100 }, (_, line) => `line ${line}`),
    );
  });

  it('that cannot be opened are an error', async () => {
    await expect(open({ outputs: ['/nowhere/etcd.log'] })).rejects.toThrow('ENOENT');
  });

  const rotation = {
    maxSizeMegabytes: 1,
    maxAgeDays: 0,
    maxBackups: 0,
    localTime: false,
    compress: false,
  };

  async function fill(path: string, megabytes: number, config: Partial<LogConfig>): Promise<void> {
    const { log, clock } = await open({ outputs: [path], ...config });
    for (let count = 0; count < megabytes * 2; count++) {
      clock.now += 1000;
      log.logger.info('m', { count, filler: 'x'.repeat(512 * 1024 - 200) });
    }
    await log.close();
  }

  it('are rotated by size, no line lost or split', async () => {
    const directory = await tempDir();
    await fill(`${directory}/etcd.log`, 3, { rotation });
    const names = (await readdir(directory)).sort();
    expect(names).toHaveLength(3);
    expect(names[0]).toMatch(/^etcd-2026-01-02T03-04-\d\d\.\d{3}\.log$/);
    const counts: number[] = [];
    for (const name of names) {
      for (const line of (await readFile(`${directory}/${name}`, 'utf8')).trimEnd().split('\n')) {
        counts.push(JSON.parse(line).count);
      }
    }
    expect(counts).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('old ones are compressed and removed', async () => {
    const directory = await tempDir();
    await fill(`${directory}/etcd.log`, 4, {
      rotation: { ...rotation, maxBackups: 2, compress: true },
    });
    const names = (await readdir(directory)).sort();
    expect(names).toHaveLength(3);
    expect(names[0]).toMatch(/\.log\.gz$/);
    const text = gunzipSync(await readFile(`${directory}/${names[1]}`)).toString();
    expect(JSON.parse(text.split('\n')[0] ?? '').count).toBe(4);
  });
});
