import { createPrivateKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { Random } from '../../platform/random.js';
import {
  ExtendedKeyUsage,
  ecKeyPem,
  issueCertificate,
  KeyUsage,
  pemText,
} from './certificate-builder.js';

const MILLIS_PER_YEAR = 365 * 24 * 3600 * 1000;
const SERIAL_BYTES = 16;

export interface SelfSignedOptions {
  /** `<data-dir>/fixtures/client` or `.../peer`. */
  readonly directory: string;
  /** Host names and addresses that the certificate is for. */
  readonly hosts: readonly string[];
  readonly validYears: number;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Where a pair is. */
export interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * The pair of auto-TLS: the one in `directory` if there is one, however old, else a new one
 * (reference: server 6.3).
 * @throws Error with etcd's text for a validity of 0
 */
export async function selfSignedPair(options: SelfSignedOptions): Promise<PairFiles> {
  const { directory, fs, logger, validYears } = options;
  if (validYears === 0) {
    throw new Error('selfSignedCertValidity is invalid,it should be greater than 0');
  }
  const files = { certFile: `${directory}/cert.pem`, keyFile: `${directory}/key.pem` };
  await fs.makeDirectory(directory, { recursive: true, mode: 0o700 });
  const found = await Promise.all([fs.stat(files.certFile), fs.stat(files.keyFile)]);
  if (found.every((file) => file !== undefined)) return files;
  const notAfterMillis = options.clock.wallMillis() + validYears * MILLIS_PER_YEAR;
  logger.warn('automatically generate certificates', {
    'certificate-validity-bound-not-after': new Date(notAfterMillis).toISOString(),
  });
  const { certificate, key } = await generate(options, notAfterMillis);
  await write(fs, files.certFile, certificate, 0o644);
  logger.info('created cert file', { path: files.certFile });
  await write(fs, files.keyFile, key, 0o600);
  logger.info('created key file', { path: files.keyFile });
  return files;
}

async function generate({ hosts, clock, random }: SelfSignedOptions, notAfterMillis: number) {
  const pair = await promisify(generateKeyPair)('ec', { namedCurve: 'P-521' });
  const name = { organization: 'etcd' };
  const certificate = issueCertificate({
    subject: name,
    publicKey: pair.publicKey,
    issuer: { name, key: pair.privateKey },
    serial: random.bytes(SERIAL_BYTES),
    notBeforeMillis: clock.wallMillis(),
    notAfterMillis,
    isCa: true,
    keyUsage:
      KeyUsage.keyEncipherment | KeyUsage.digitalSignature | KeyUsage.certSign | KeyUsage.crlSign,
    extendedKeyUsage: [ExtendedKeyUsage.serverAuth],
    names: [...new Set(hosts)],
  });
  return {
    certificate: Buffer.from(pemText('CERTIFICATE', certificate)),
    key: Buffer.from(
      ecKeyPem(createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))),
    ),
  };
}

async function write(fs: Fs, path: string, bytes: Buffer, mode: number): Promise<void> {
  const file = await fs.open(path, { write: true, create: true, truncate: true, mode });
  try {
    await file.write([bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
