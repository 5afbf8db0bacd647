import { describe, expect, it } from 'vitest';
import type { LogFields } from '../../src/base/logger.js';
import { silentLogger } from '../../src/base/logger.js';
import { boolFlag, valueFlag } from '../../src/cli/args/flags.js';
import { applyEnvironment, debugLines, variableOf } from '../../src/cli/environment.js';

const FLAGS = {
  endpoints: valueFlag('strings', '127.0.0.1:2379', 'endpoints'),
  'command-timeout': valueFlag('duration', '5s', 'timeout'),
  cert: valueFlag('string', '', 'certificate'),
  hex: boolFlag('hex'),
};

function apply(environment: Record<string, string>, given: string[] = [], known: string[] = []) {
  const lines: string[] = [];
  const log = (level: string) => (message: string, fields?: LogFields) => {
    lines.push(`${level} ${message.slice(0, 33)} ${fields?.['environment-variable']}`);
  };
  const target = {
    flags: FLAGS,
    values: { endpoints: ['given'], 'command-timeout': 5000, cert: '', hex: false },
    given: new Set(given),
  };
  const logger = { ...silentLogger, warn: log('warn'), fatal: log('fatal') };
  const run = () => applyEnvironment(environment, target, logger, known);
  return { run, lines, target };
}

describe('ETCDCTL_ variables', () => {
  it('have the name of their flag', () => {
    expect(variableOf('command-timeout')).toBe('ETCDCTL_COMMAND_TIMEOUT');
  });

  it('set flags that are not on the command line', () => {
    const { run, lines, target } = apply({
      ETCDCTL_ENDPOINTS: 'a,b',
      ETCDCTL_COMMAND_TIMEOUT: '1m',
      ETCDCTL_HEX: '1',
      HOME: '/',
    });
    run();
    expect(target.values).toEqual({
      endpoints: ['a', 'b'],
      'command-timeout': 60_000,
      cert: '',
      hex: true,
    });
    expect([...target.given]).toEqual(['endpoints', 'command-timeout', 'hex']);
    expect(lines).toEqual([]);
  });

  it('are ignored without a word if they do not parse', () => {
    const { run, lines, target } = apply({ ETCDCTL_HEX: 'maybe' });
    run();
    expect(target.values.hex).toBe(false);
    expect(lines).toEqual([]);
  });

  it('warn if nobody knows them or if they are empty', () => {
    const { run, lines } = apply(
      { ETCDCTL_API: '3', ETCDCTL_CERT: '', ETCDCTL_WATCH_KEY: 'k' },
      [],
      ['ETCDCTL_WATCH_KEY'],
    );
    run();
    expect(lines).toEqual([
      'warn unrecognized environment variable ETCDCTL_API=3',
      'warn unrecognized environment variable ETCDCTL_CERT=',
    ]);
  });

  it.each(['x', ''])('must not repeat a flag (%j)', (value) => {
    const { run, lines } = apply({ ETCDCTL_ENDPOINTS: value }, ['endpoints']);
    expect(run).toThrow(expect.objectContaining({ exitCode: 1, message: '' }));
    expect(lines).toEqual(['fatal conflicting environment variable  ETCDCTL_ENDPOINTS']);
  });
});

describe('--debug', () => {
  it('shows every flag as its variable', () => {
    const values = { endpoints: ['a', 'b'], 'command-timeout': 90_000, cert: '', hex: true };
    expect(debugLines(values, FLAGS)).toBe(
      'ETCDCTL_CERT=\nETCDCTL_COMMAND_TIMEOUT=1m30s\nETCDCTL_ENDPOINTS=[a,b]\nETCDCTL_HEX=true\n',
    );
  });
});
