import { parseGoDuration } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { JWT_ALGORITHMS } from './jwt-algorithms.js';
import { readJwtKeys } from './jwt-keys.js';
import { JwtTokens } from './jwt-tokens.js';
import { noTokens } from './no-tokens.js';
import { SimpleTokens } from './simple-tokens.js';
import type { TokenProvider } from './token-provider.js';

/** How long a JWT lives where the option `ttl` does not say, ms. */
const DEFAULT_JWT_TTL_MILLIS = 5 * 60 * 1000;
const NANOS_PER_MILLI = 1_000_000;
const JWT_OPTIONS: ReadonlySet<string> = new Set(['sign-method', 'pub-key', 'priv-key', 'ttl']);
const NO_KEY = Buffer.alloc(0);

export interface TokenProviderOptions {
  /** As `--auth-token` gives it: `simple`, `jwt,option=value,...`, or empty. */
  readonly text: string;
  /** How long an unused simple token lives, seconds. */
  readonly simpleTtlSeconds: number;
  readonly clock: Clock;
  readonly random: Pick<Random, 'bytes'>;
  readonly logger: Logger;
  /** Reads a key file whole; rejects if that can't be done. */
  readonly readFile: (path: string) => Promise<Buffer>;
}

class InvalidOptionsError extends Error {
  constructor() {
    super('auth: invalid auth options');
    this.name = 'InvalidOptionsError';
  }
}

/**
 * The token provider that `--auth-token` asks for (reference: server, auth-token).
 * @throws Error with etcd's text, after a log line that says more
 */
export async function createTokenProvider(options: TokenProviderOptions): Promise<TokenProvider> {
  const { logger } = options;
  try {
    return await create(options);
  } catch (error) {
    logger.warn('failed to create token provider', { error: textOf(error) });
    throw error;
  }
}

async function create(options: TokenProviderOptions): Promise<TokenProvider> {
  const { text, simpleTtlSeconds, clock, random, logger } = options;
  const [type = '', ...parts] = text.split(',');
  const settings = parseSettings(parts, text, logger);
  switch (type) {
    case '':
      return noTokens;
    case 'simple':
      logger.warn('simple token is not cryptographically signed');
      return new SimpleTokens({ clock, random, ttlMillis: simpleTtlSeconds * 1000 });
    case 'jwt':
      return createJwt(settings, options);
    default:
      logger.warn('unknown token type', { type });
      throw new InvalidOptionsError();
  }
}

/** Each part is a name and a value around the only `=`; no name comes twice. */
function parseSettings(parts: readonly string[], text: string, logger: Logger) {
  const settings = new Map<string, string>();
  for (const part of parts) {
    const [name = '', value, ...rest] = part.split('=');
    if (value === undefined || rest.length > 0 || settings.has(name)) {
      logger.error('invalid token option', { option: text });
      throw new InvalidOptionsError();
    }
    settings.set(name, value);
  }
  return settings;
}

async function createJwt(
  settings: ReadonlyMap<string, string>,
  { clock, logger, readFile }: TokenProviderOptions,
): Promise<TokenProvider> {
  const parsed = await parseJwt(settings, readFile).catch((error: unknown) => {
    logger.error('problem loading JWT options', { error: textOf(error) });
    throw new InvalidOptionsError();
  });
  const unknown = [...settings.keys()].filter((name) => !JWT_OPTIONS.has(name));
  if (unknown.length > 0) logger.warn('unknown JWT options', { keys: unknown });
  const { algorithm, publicFile, privateFile, ttlMillis } = parsed;
  const keys = readJwtKeys(algorithm, publicFile, privateFile);
  return new JwtTokens({ algorithm, keys, ttlMillis, clock, logger });
}

async function parseJwt(
  settings: ReadonlyMap<string, string>,
  readFile: (path: string) => Promise<Buffer>,
) {
  const ttl = settings.get('ttl') || undefined;
  const ttlMillis =
    ttl === undefined ? DEFAULT_JWT_TTL_MILLIS : parseGoDuration(ttl) / NANOS_PER_MILLI;
  const read = async (name: string): Promise<Buffer> => {
    const path = settings.get(name) || undefined;
    return path === undefined ? NO_KEY : readFile(path);
  };
  const publicFile = await read('pub-key');
  const privateFile = await read('priv-key');
  const algorithm = JWT_ALGORITHMS.get(settings.get('sign-method') ?? '');
  if (algorithm === undefined) throw new Error('auth: invalid auth signature method');
  return { algorithm, publicFile, privateFile, ttlMillis };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
