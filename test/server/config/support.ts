import { expect } from 'vitest';
import {
  type ParsedServerConfig,
  parseServerConfig,
} from '../../../src/server/config/parse-server-config.js';
import type { ServerConfig } from '../../../src/server/config/server-config.js';

type Environment = Readonly<Record<string, string>>;

export function noFile(path: string): string {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
}

export function parse(argv: readonly string[], environment: Environment = {}): ParsedServerConfig {
  return parseServerConfig(argv, environment, noFile);
}

export function parseFile(yaml: string, argv: readonly string[] = []): ParsedServerConfig {
  return parseServerConfig([...argv, '--config-file=etcd.yml'], {}, () => yaml);
}

export function config(parsed: ParsedServerConfig): ServerConfig {
  if (parsed.kind === 'exit') throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

/** The text of the error that ended the program with code 1. */
export function verifyError(parsed: ParsedServerConfig): unknown {
  expect(parsed).toMatchObject({ kind: 'exit', code: 1, stdout: '', stderr: '' });
  const line = parsed.logs.find(({ message }) => message === 'failed to verify flags');
  expect(line?.level).toBe('warn');
  return line?.fields?.error;
}

export function messages(parsed: ParsedServerConfig): string[] {
  return parsed.logs.map(({ message }) => message);
}
