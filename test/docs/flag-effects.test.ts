import { describe, expect, it } from 'vitest';
import type { FlagKind, FlagSpec } from '../../src/server/config/flag-spec.js';
import { FLAG_SPECS } from '../../src/server/config/flag-table.js';
import { parseServerConfig } from '../../src/server/config/parse-server-config.js';
import type { ServerConfig } from '../../src/server/config/server-config.js';
import { sourceFiles } from '../house/sources.js';
import { type Feature, features, SERVER_SECTIONS } from './features.js';

/** Flags that do their work before there is a configuration, or have none to do. */
const WITHOUT_SETTING = new Set([
  'config-file',
  'version',
  'logger',
  'v2-deprecation',
  // The listeners of the platform are always as it asks.
  'socket-reuse-address',
]);

/** A value other than the default, for flags for which any of their kind will not do. */
const VALUES: Readonly<Record<string, string>> = {
  'heartbeat-interval': '110',
  'election-timeout': '1010',
  'initial-cluster': 'default=http://localhost:2380,other=http://localhost:2381',
  'discovery-fallback': 'exit',
  'tls-min-version': 'TLS1.3',
  'tls-max-version': 'TLS1.2',
  'log-outputs': 'stdout',
  'log-level': 'debug',
  'log-format': 'console',
  'log-rotation-config-json': '{"maxsize": 7}',
  'audit-log-rotation-config-json': '{"maxsize": 7}',
  metrics: 'extensive',
  'auto-compaction-mode': 'revision',
  'auto-compaction-retention': '5',
};

const WITH_DISCOVERY = ['--discovery-token=token', '--discovery-endpoints=http://127.0.0.1:7'];

/** Other flags without which the flag means nothing, or is an error. */
const TOGETHER_WITH: Readonly<Record<string, readonly string[]>> = {
  'listen-client-urls': ['--advertise-client-urls=http://127.0.0.1:7'],
  'enable-log-rotation': ['--log-outputs=/log'],
  'log-rotation-config-json': ['--log-outputs=/log', '--enable-log-rotation'],
  'audit-log-rotation-config-json': ['--audit-log=/audit'],
  'auto-compaction-mode': ['--auto-compaction-retention=5'],
  'discovery-srv-name': ['--discovery-srv=example.com'],
  ...Object.fromEntries(
    FLAG_SPECS.filter(({ name }) => /^discovery-(?!srv|fallback)/.test(name)).map(({ name }) => [
      name,
      WITH_DISCOVERY,
    ]),
  ),
};

const KIND_VALUES: Partial<Record<FlagKind, string>> = {
  string: 'other',
  duration: '90s',
  urls: 'http://127.0.0.1:7',
  origins: 'http://127.0.0.1:7',
  list: 'other',
  uniqueList: 'other',
  featureGates: 'AllAlpha=true',
};

/** A value of the flag other than its default. */
function otherValue({ name, kind, defaultText, choices }: FlagSpec): string {
  if (kind === 'bool') return defaultText === 'true' ? 'false' : 'true';
  return VALUES[name] ?? choices.at(-1) ?? KIND_VALUES[kind] ?? '7';
}

function configOf(argv: readonly string[]): ServerConfig {
  const parsed = parseServerConfig(argv, {}, () => '');
  if (parsed.kind === 'config') return parsed.config;
  throw new Error(`${argv.join(' ')}: ${JSON.stringify(parsed.logs.at(-1)) ?? parsed.stderr}`);
}

/** Fields of the configuration that the flag changes. */
function changedFields(spec: FlagSpec): string[] {
  const context = TOGETHER_WITH[spec.name] ?? [];
  const before = fieldTexts(configOf(context));
  const after = fieldTexts(configOf([...context, `--${spec.name}=${otherValue(spec)}`]));
  return [...after].filter(([name, text]) => before.get(name) !== text).map(([name]) => name);
}

function fieldTexts(config: ServerConfig): Map<string, string> {
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Map ? [...value] : value;
  return new Map(
    Object.entries(config).map(([name, value]) => [name, JSON.stringify(value, plain) ?? '']),
  );
}

const serverCode = sourceFiles()
  .filter(({ path }) => path.startsWith('src/server/') && !path.startsWith('src/server/config/'))
  .map(({ code }) => code)
  .join('\n');

/** Whether any part of the server reads a field of its configuration. */
function isRead(field: string): boolean {
  return new RegExp(`[cC]onfig\\.${field}\\b`).test(serverCode);
}

const settings = new Map(
  features('flag', SERVER_SECTIONS).map((feature): [string, Feature] => [
    feature.name.slice(2),
    feature,
  ]),
);

describe('a flag has the effect that docs/compatibility.md says', () => {
  const specs = FLAG_SPECS.filter(
    ({ name, kind }) => kind !== 'ignored' && !WITHOUT_SETTING.has(name),
  );
  it.each(specs.map((spec): [string, FlagSpec] => [spec.name, spec]))('--%s', (name, spec) => {
    const note = settings.get(name)?.note ?? '';
    if (/^Refused(\.|$)/.test(note)) {
      expect(() => changedFields(spec)).toThrow();
      return;
    }
    const isUsed = changedFields(spec).some(isRead);
    expect(isUsed).toBe(!note.startsWith('Accepted without effect'));
  });
});
