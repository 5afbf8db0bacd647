import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { JwtAlgorithm, JwtKeyKind } from './jwt-algorithms.js';

/** What signs tokens and what checks them; without a signing key a server only checks. */
export interface JwtKeys {
  readonly signing: KeyObject | undefined;
  readonly verifying: KeyObject;
}

/** The texts that etcd's library has for keys that are none. */
const KEY_NAMES: Readonly<Record<Exclude<JwtKeyKind, 'hmac'>, string>> = {
  rsa: 'RSA',
  ec: 'ECDSA',
  ed25519: 'Ed25519',
};
const NOT_PEM = 'invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key';

/**
 * Reads the key files of `--auth-token=jwt`.
 * @param publicFile PEM: a public key or a certificate; empty: none
 * @param privateFile PEM, or for HMAC the raw secret; empty: none
 * @throws Error with etcd's text
 */
export function readJwtKeys(
  algorithm: JwtAlgorithm,
  publicFile: Buffer,
  privateFile: Buffer,
): JwtKeys {
  if (algorithm.keyKind === 'hmac') {
    if (privateFile.length === 0) throw new Error('auth: missing key data');
    const secret = createSecretKey(privateFile);
    return { signing: secret, verifying: secret };
  }
  const signing =
    privateFile.length === 0 ? undefined : parseKey(algorithm, privateFile, 'private');
  const given = publicFile.length === 0 ? undefined : parseKey(algorithm, publicFile, 'public');
  if (signing === undefined) {
    if (given === undefined) throw new Error('auth: missing key data');
    return { signing: undefined, verifying: given };
  }
  const verifying = createPublicKey(signing);
  if (given !== undefined && !given.equals(verifying)) {
    throw new Error("auth: public and private keys don't match");
  }
  return { signing, verifying };
}

function parseKey(algorithm: JwtAlgorithm, pem: Buffer, side: 'public' | 'private'): KeyObject {
  const { keyKind, curve, name } = algorithm;
  if (keyKind === 'hmac') throw new TypeError('an HMAC key is not parsed');
  if (!pem.includes('-----BEGIN ')) throw new Error(NOT_PEM);
  const wrong = `key is not a valid ${KEY_NAMES[keyKind]} ${side} key`;
  const key = parsePem(pem, side, wrong);
  if (key.asymmetricKeyType !== keyKind) throw new Error(wrong);
  const actual = key.asymmetricKeyDetails?.namedCurve;
  // etcd would start with such a key and then fail every log-in.
  if (curve !== undefined && actual !== curve) {
    throw new Error(`${wrong} for ${name}: it is on curve ${actual}, not ${curve}`);
  }
  return key;
}

function parsePem(pem: Buffer, side: 'public' | 'private', wrong: string): KeyObject {
  try {
    // A private key would do as the source of a public one; the option asks for a public one.
    if (side === 'public' && pem.includes('PRIVATE KEY-----')) throw new Error(wrong);
    return side === 'private' ? createPrivateKey(pem) : createPublicKey(pem);
  } catch (cause) {
    throw new Error(wrong, { cause });
  }
}
