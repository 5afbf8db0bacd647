/** How a log file is rotated (reference: server 3.2). */
export interface LogRotation {
  /** Size in MiB from which a new file is begun; 0 stands for 100. */
  readonly maxSizeMegabytes: number;
  /** Days for which old files are kept; 0: for ever. */
  readonly maxAgeDays: number;
  /** Old files to keep; 0: all. */
  readonly maxBackups: number;
  /** Local time in the names of old files instead of UTC. */
  readonly localTime: boolean;
  readonly compress: boolean;
}

const STANDARD_OUTPUTS = new Set(['default', 'stderr', 'stdout']);

/** True for an output that is a file. */
function isFileOutput(output: string): boolean {
  return !STANDARD_OUTPUTS.has(output);
}

/**
 * Reads `--log-rotation-config-json`; exactly one output must be a file.
 * @throws Error with etcd's text
 */
export function parseLogRotation(json: string, outputs: readonly string[]): LogRotation {
  if (outputs.filter(isFileOutput).length !== 1) {
    throw new Error(
      '--log-outputs requires a single file path when --log-rotate-config-json is defined',
    );
  }
  return parseRotation(json);
}

/**
 * Reads the parameters of a rotation.
 * @throws Error with etcd's text
 */
export function parseRotation(json: string): LogRotation {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new Error(
      `improperly formatted log rotation config: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid(parsed, 'value of type embed.logRotationConfig');
  }
  const fields = new Map(
    Object.entries(parsed).map(([key, value]): [string, unknown] => [key.toLowerCase(), value]),
  );
  const size = integer(fields, 'maxsize');
  return {
    maxSizeMegabytes: size === 0 ? 100 : size,
    maxAgeDays: integer(fields, 'maxage'),
    maxBackups: integer(fields, 'maxbackups'),
    localTime: boolean(fields, 'localtime'),
    compress: boolean(fields, 'compress'),
  };
}

function integer(fields: ReadonlyMap<string, unknown>, key: string): number {
  const value = fields.get(key) ?? 0;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw invalid(value, `struct field logRotationConfig.${key} of type int`);
  }
  return value;
}

function boolean(fields: ReadonlyMap<string, unknown>, key: string): boolean {
  const value = fields.get(key) ?? false;
  if (typeof value !== 'boolean') {
    throw invalid(value, `struct field logRotationConfig.${key} of type bool`);
  }
  return value;
}

function invalid(value: unknown, target: string): Error {
  const type = typeof value === 'boolean' ? 'bool' : typeof value;
  return new Error(`invalid log rotation config: json: cannot unmarshal ${type} into Go ${target}`);
}
