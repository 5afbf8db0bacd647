import { boolFlag, type FlagValues, valueFlag } from './args/flags.js';

/** Flags that every client command takes, before or after the command word (reference: cli 2.1). */
export const GLOBAL_FLAGS = {
  endpoints: valueFlag('strings', '127.0.0.1:2379', 'gRPC endpoints'),
  debug: boolFlag('enable client-side debug logging'),
  'write-out': valueFlag(
    'string',
    'simple',
    'set the output format (fields, json, protobuf, simple, table)',
    { short: 'w' },
  ),
  hex: boolFlag('print byte strings as hex encoded strings'),
  'dial-timeout': valueFlag('duration', '2s', 'dial timeout for client connections'),
  'command-timeout': valueFlag(
    'duration',
    '5s',
    'timeout for short running command (excluding dial timeout)',
  ),
  'keepalive-time': valueFlag('duration', '2s', 'keepalive time for client connections'),
  'keepalive-timeout': valueFlag('duration', '6s', 'keepalive timeout for client connections'),
  'max-request-bytes': valueFlag(
    'int',
    '0',
    'client-side request send limit in bytes (if 0, it defaults to 2.0 MiB (2 * 1024 * 1024).)',
  ),
  'max-recv-bytes': valueFlag(
    'int',
    '0',
    'client-side response receive limit in bytes (if 0, it defaults to "math.MaxInt32")',
  ),
  'insecure-transport': boolFlag('disable transport security for client connections', {
    defaultOn: true,
  }),
  'insecure-discovery': boolFlag('accept insecure SRV records describing cluster endpoints', {
    defaultOn: true,
  }),
  'insecure-skip-tls-verify': boolFlag(
    'skip server certificate verification (CAUTION: this option should be enabled only for testing purposes)',
  ),
  cert: valueFlag('string', '', 'identify secure client using this TLS certificate file'),
  key: valueFlag('string', '', 'identify secure client using this TLS key file'),
  cacert: valueFlag(
    'string',
    '',
    'verify certificates of TLS-enabled secure servers using this CA bundle',
  ),
  'auth-jwt-token': valueFlag(
    'string',
    '',
    'JWT token used for authentication (if this option is used, --user and --password should not be set)',
  ),
  user: valueFlag(
    'string',
    '',
    'username[:password] for authentication (prompt if password is not supplied)',
  ),
  password: valueFlag(
    'string',
    '',
    "password for authentication (if this option is used, --user option shouldn't include password)",
  ),
  'discovery-srv': valueFlag(
    'string',
    '',
    'domain name to query for SRV records describing cluster endpoints',
    { short: 'd' },
  ),
  'discovery-srv-name': valueFlag('string', '', 'service name to query when using DNS discovery'),
};

/** Flags that every command of etcdutl takes (reference: cli 10). */
export const UTILITY_GLOBAL_FLAGS = {
  'write-out': GLOBAL_FLAGS['write-out'],
  timeout: valueFlag(
    'duration',
    '10s',
    'time to wait to obtain a file lock on db file, 0 to wait indefinitely (files are read without a lock)',
  ),
};

/** What the dump tools take beside etcd's own flags: JSON, one object a line. */
export const DUMP_LOGS_GLOBAL_FLAGS = {
  'write-out': valueFlag('string', 'simple', 'set the output format (simple, json)', {
    short: 'w',
  }),
};

/** Flags that every command of etcd-dump-db takes (reference: cli 12). */
export const DUMP_DB_GLOBAL_FLAGS = {
  ...DUMP_LOGS_GLOBAL_FLAGS,
  timeout: UTILITY_GLOBAL_FLAGS.timeout,
};

/** The values of the global flags. */
export type GlobalValues = FlagValues<typeof GLOBAL_FLAGS>;
