import { parse } from 'yaml';
import { parseFeatureGates } from './feature-gates.js';
import type { FlagSet } from './flag-parser.js';
import type { FlagSpec } from './flag-spec.js';
import { type FlagValue, parseOrigins, uniqueList } from './flag-values.js';
import { parseUrlList } from './urls.js';

/** The file is bad in a way that ends etcd at once, with this text on stderr and this code. */
export class ConfigFileFatal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Sets flags from the text of a YAML configuration file (reference: server 1.3). Unknown keys are
 * ignored without a word, keys match in any case, null leaves the default.
 * @throws ConfigFileFatal, or Error with etcd's text
 */
export function applyConfigFile(flags: FlagSet, text: string): void {
  const document = parseYaml(text);
  if (document === null || document === undefined) return;
  if (!isRecord(document)) {
    throw decodeError(
      `cannot unmarshal ${jsonType(document)} into Go value of type embed.configYAML`,
    );
  }
  const peerSecurity = entry(document, 'peer-transport-security');
  if (peerSecurity !== undefined && peerSecurity !== null && !isRecord(peerSecurity)) {
    throw new Error('invalid peer-transport-security');
  }
  for (const spec of flags.specs.values()) {
    if (spec.yaml === undefined) continue;
    const value = lookUp(document, spec.yaml.split('.'));
    if (value === undefined || value === null) continue;
    const read = readValue(spec, value);
    if (read === undefined) continue;
    flags.values.set(spec.name, read);
    flags.explicit.add(spec.name);
  }
  if (flags.values.get('self-signed-cert-validity') === 0) {
    flags.values.set('self-signed-cert-validity', 1);
  }
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Error(`error converting YAML to JSON: yaml: ${reason}`);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entry(fields: Fields, key: string): unknown {
  if (Object.hasOwn(fields, key)) return fields[key];
  const lower = key.toLowerCase();
  const found = Object.keys(fields).find((name) => name.toLowerCase() === lower);
  return found === undefined ? undefined : fields[found];
}

function lookUp(fields: Fields, path: readonly string[]): unknown {
  let value: unknown = fields;
  for (const key of path) {
    if (value === undefined || value === null) return undefined;
    if (!isRecord(value)) {
      throw decodeError(
        `cannot unmarshal ${jsonType(value)} into Go struct field configYAML.${path[0]}`,
      );
    }
    value = entry(value, key);
  }
  return value;
}

/** Undefined: the value leaves the default in force. */
function readValue(spec: FlagSpec, value: unknown): FlagValue | undefined {
  switch (spec.kind) {
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(spec, value, 'bool');
      return value;
    case 'urls':
      return urls(spec, scalar(spec, value));
    case 'origins':
      return origins(scalar(spec, value));
    case 'uniqueList':
      // A comma list here, a sequence everywhere else.
      return spec.name === 'host-whitelist'
        ? uniqueList(scalar(spec, value))
        : [...new Set(sequence(spec, value))].sort();
    case 'list':
      return sequence(spec, value);
    case 'featureGates':
      parseFeatureGates(scalar(spec, value));
      return scalar(spec, value);
    case 'string':
    case 'choice':
      return scalar(spec, value);
    case 'choices':
    case 'ignored':
      return undefined;
    case 'duration':
      return integer(spec, value, 'time.Duration');
    default:
      return integer(spec, value, spec.kind);
  }
}

/** A number or boolean stands for its text where text is expected. */
function scalar(spec: FlagSpec, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw mismatch(spec, value, 'string');
}

function integer(spec: FlagSpec, value: unknown, type: string): number {
  const unsigned = type.startsWith('uint');
  if (typeof value !== 'number' || !Number.isInteger(value) || (unsigned && value < 0)) {
    throw mismatch(spec, value, type);
  }
  return value;
}

function sequence(spec: FlagSpec, value: unknown): string[] {
  if (!Array.isArray(value)) throw mismatch(spec, value, '[]string');
  return value.map((item: unknown) => scalar(spec, item));
}

function urls(spec: FlagSpec, text: string): FlagValue | undefined {
  if (text === '') return undefined;
  try {
    return parseUrlList(text);
  } catch (error) {
    // The wrong name is etcd's.
    const name = spec.name === 'advertise-client-urls' ? 'advertise-peer-urls' : spec.name;
    throw new ConfigFileFatal(
      `unexpected error setting up ${name}: ${error instanceof Error ? error.message : error}`,
      1,
    );
  }
}

function origins(text: string): FlagValue | undefined {
  if (text === '') return undefined;
  try {
    return parseOrigins(text);
  } catch (error) {
    throw new ConfigFileFatal(`panic: ${error instanceof Error ? error.message : error}`, 2);
  }
}

function mismatch(spec: FlagSpec, value: unknown, type: string): Error {
  const shown =
    typeof value === 'number' && type !== 'string' ? `number ${value}` : jsonType(value);
  return decodeError(
    `cannot unmarshal ${shown} into Go struct field configYAML.${spec.yaml} of type ${type}`,
  );
}

function decodeError(what: string): Error {
  return new Error(`error unmarshaling JSON: while decoding JSON: json: ${what}`);
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}
