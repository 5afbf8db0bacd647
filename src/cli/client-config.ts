import { readFileSync } from 'node:fs';
import type { ClientOptions } from '../client/client.js';
import { fileErrorText } from '../platform/file-error-text.js';
import { checkKeyPair, parseCertificates } from '../platform/key-pair.js';
import { CommandFailure, ExitCode } from './exit.js';
import type { GlobalValues } from './global-flags.js';
import { askSecret } from './prompt.js';
import type { Terminal } from './terminal.js';

type TlsOptions = NonNullable<ClientOptions['tls']>;

/** The flags that say whether and how TLS is spoken. */
type TlsFlags = Pick<
  GlobalValues,
  'cert' | 'key' | 'cacert' | 'insecure-transport' | 'insecure-skip-tls-verify'
>;

/** Who to log in as. */
export type AuthOptions = Pick<ClientOptions, 'user' | 'password' | 'token'>;

/**
 * The TLS material of the flags, undefined if they ask for none (reference: cli 2.4). The scheme of
 * the first endpoint may still decide against it.
 * @param discoveryName domain that `--insecure-discovery=false` makes the server's name
 * @throws CommandFailure
 */
export function tlsOptions(
  flags: TlsFlags,
  given: ReadonlySet<string>,
  discoveryName: string | undefined,
): TlsOptions | undefined {
  for (const name of ['cert', 'key', 'cacert'] as const) {
    if (given.has(name) && flags[name] === '') {
      throw badTls(`empty string is passed to --${name} option`);
    }
  }
  const { cert, key, cacert } = flags;
  if ((cert === '') !== (key === '')) {
    throw badTls(`KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`);
  }
  const insecureSkipVerify = flags['insecure-skip-tls-verify'];
  const asked = cert !== '' || cacert !== '' || discoveryName !== undefined;
  if (!asked && flags['insecure-transport'] && !insecureSkipVerify) return undefined;
  return {
    insecureSkipVerify,
    ...(cert === '' ? {} : readPair(cert, key)),
    ...(cacert === '' ? {} : { ca: readAuthorities(cacert) }),
    ...(discoveryName === undefined ? {} : { serverName: discoveryName }),
  };
}

function readPair(certPath: string, keyPath: string): Pick<TlsOptions, 'cert' | 'key'> {
  const cert = readPem(certPath);
  const key = readPem(keyPath);
  checkTls(() => checkKeyPair(cert, key));
  return { cert, key };
}

/** Trap: a file without a certificate is no error; it trusts nobody. */
function readAuthorities(path: string): Buffer {
  const pem = readPem(path);
  checkTls(() => parseCertificates(pem));
  return pem;
}

/** Material that cannot be used ends the command before it connects. */
function checkTls(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw badTls(error instanceof Error ? error.message : String(error));
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw badTls(fileErrorText('open', path, error));
  }
}

/**
 * User, password or token of the flags (reference: cli 2.5). Asks for a password that is missing.
 *
 * Trap: `--user u:` gives an empty password, and then nobody logs in.
 */
export async function authOptions(flags: GlobalValues, terminal: Terminal): Promise<AuthOptions> {
  const token = flags['auth-jwt-token'];
  if (token !== '') return { token };
  if (flags.user === '') return {};
  if (flags.password !== '') return { user: flags.user, password: flags.password };
  const colon = flags.user.indexOf(':');
  if (colon >= 0) {
    return { user: flags.user.slice(0, colon), password: flags.user.slice(colon + 1) };
  }
  return { user: flags.user, password: await askSecret(terminal, 'Password: ') };
}

function badTls(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
