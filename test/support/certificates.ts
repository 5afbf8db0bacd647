import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { derInteger, derSequence, derTime } from '../../src/base/der.js';
import {
  derName,
  ExtendedKeyUsage,
  ecKeyPem,
  issueCertificate,
  KeyUsage,
  pemText,
  SIGNATURE_ALGORITHM,
  signed,
} from '../../src/server/tls/certificate-builder.js';

const HOUR_MILLIS = 3_600_000;

export interface LeafOptions {
  readonly commonName?: string;
  /** Host names and addresses; default: localhost and 127.0.0.1. */
  readonly names?: readonly string[];
  /** When it ends, ms from now; default: in a day. In the past: it has expired. */
  readonly endsInMillis?: number;
}

/** A certificate and its key on disk. */
export interface LeafFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly certificate: string;
  readonly key: string;
  readonly serial: Buffer;
}

/** A certificate authority of a test, with its files in one directory. */
export class TestAuthority {
  readonly caFile: string;
  readonly #directory: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(directory: string, name = 'ca') {
    this.#directory = directory;
    this.#name = name;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = pair.privateKey;
    this.caFile = join(directory, `${name}.pem`);
    const certificate = issueCertificate({
      subject: { commonName: name },
      publicKey: pair.publicKey,
      issuer: { name: { commonName: name }, key: pair.privateKey },
      serial: newSerial(),
      notBeforeMillis: Date.now() - HOUR_MILLIS,
      notAfterMillis: Date.now() + 48 * HOUR_MILLIS,
      isCa: true,
      keyUsage: KeyUsage.certSign | KeyUsage.crlSign,
      extendedKeyUsage: [],
      names: [],
    });
    writeFileSync(this.caFile, pemText('CERTIFICATE', certificate));
  }

  /** Issues a certificate for servers and clients and writes `<file>.pem` and `<file>-key.pem`. */
  issue(file: string, options: LeafOptions = {}): LeafFiles {
    const { commonName, names = ['localhost', '127.0.0.1'] } = options;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const serial = newSerial();
    const notAfterMillis = Date.now() + (options.endsInMillis ?? 24 * HOUR_MILLIS);
    const certificate = issueCertificate({
      subject: commonName === undefined ? { organization: file } : { commonName },
      publicKey: pair.publicKey,
      issuer: { name: { commonName: this.#name }, key: this.#key },
      serial,
      notBeforeMillis: Math.min(Date.now(), notAfterMillis) - HOUR_MILLIS,
      notAfterMillis,
      isCa: false,
      keyUsage: KeyUsage.digitalSignature | KeyUsage.keyEncipherment,
      extendedKeyUsage: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
      names,
    });
    const files = {
      certFile: join(this.#directory, `${file}.pem`),
      keyFile: join(this.#directory, `${file}-key.pem`),
      certificate: pemText('CERTIFICATE', certificate),
      key: ecKeyPem(pair.privateKey),
    };
    writeFileSync(files.certFile, files.certificate);
    writeFileSync(files.keyFile, files.key);
    return { ...files, serial };
  }

  /** Writes a revocation list in DER and returns its path. */
  revoke(file: string, serials: readonly Buffer[]): string {
    const path = join(this.#directory, file);
    const entries = serials.map((serial) =>
      derSequence(derInteger(serial), derTime(Date.now() - HOUR_MILLIS)),
    );
    const body = derSequence(
      derInteger(Uint8Array.of(1)),
      SIGNATURE_ALGORITHM,
      derName({ commonName: this.#name }),
      derTime(Date.now() - HOUR_MILLIS),
      derTime(Date.now() + 24 * HOUR_MILLIS),
      ...(entries.length === 0 ? [] : [derSequence(...entries)]),
    );
    writeFileSync(path, signed(body, this.#key));
    return path;
  }
}

/** Positive, and without a leading zero byte. */
function newSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = 0x7a;
  return serial;
}
