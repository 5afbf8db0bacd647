import { describe, expect, it } from 'vitest';
import { config, parse, verifyError } from './support.js';

describe('environment', () => {
  it('sets what the command line left alone', () => {
    const parsed = parse(['--name=a'], {
      ETCD_DATA_DIR: '/d',
      ETCD_PRE_VOTE: 'false',
      HOME: '/root',
    });
    expect(config(parsed)).toMatchObject({ name: 'a', dataDir: '/d', preVote: false });
    expect(parsed.logs.slice(0, 2)).toEqual([
      {
        level: 'info',
        message: 'recognized and used environment variable',
        fields: { 'variable-name': 'ETCD_DATA_DIR', 'variable-value': '/d' },
      },
      {
        level: 'info',
        message: 'recognized and used environment variable',
        fields: { 'variable-name': 'ETCD_PRE_VOTE', 'variable-value': 'false' },
      },
    ]);
  });

  it('counts as setting listen-client-urls explicitly', () => {
    expect(verifyError(parse([], { ETCD_LISTEN_CLIENT_URLS: 'http://127.0.0.1:1' }))).toContain(
      'is required',
    );
  });

  it('refuses a bad value', () => {
    expect(verifyError(parse([], { ETCD_HEARTBEAT_INTERVAL: 'x' }))).toBe(
      'invalid value "x" for ETCD_HEARTBEAT_INTERVAL: parse error',
    );
  });

  it.each(['a', 'b', ''])('is fatal next to the flag, whatever it says (%j)', (value) => {
    const parsed = parse(['--name=a'], { ETCD_NAME: value });
    expect(parsed).toMatchObject({ kind: 'exit', code: 1, stdout: '', stderr: '' });
    expect(parsed.logs).toEqual([
      {
        level: 'fatal',
        message:
          'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))',
        fields: { 'environment-variable': 'ETCD_NAME' },
      },
    ]);
  });

  it('warns of variables that mean nothing, empty ones too', () => {
    const { logs } = parse([], { ETCD_FOO: '1', ETCD_NAME: '', ETCD_VERSION: '3' });
    expect(logs.slice(0, 3)).toEqual([
      {
        level: 'warn',
        message: 'cannot set special environment variable',
        fields: { key: 'ETCD_VERSION', value: '3' },
      },
      {
        level: 'warn',
        message: 'unrecognized environment variable',
        fields: { 'environment-variable': 'ETCD_FOO=1' },
      },
      {
        level: 'warn',
        message: 'unrecognized environment variable',
        fields: { 'environment-variable': 'ETCD_NAME=' },
      },
    ]);
  });
});
