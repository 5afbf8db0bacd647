import {
  constants,
  createHmac,
  type KeyObject,
  sign as signBytes,
  timingSafeEqual,
  verify as verifyBytes,
} from 'node:crypto';

/** The key material that an algorithm takes. */
export type JwtKeyKind = 'rsa' | 'ec' | 'ed25519' | 'hmac';

/** One value of `sign-method`: how tokens are signed and checked. */
export interface JwtAlgorithm {
  readonly name: string;
  readonly keyKind: JwtKeyKind;
  /** The curve an EC key must be on, as node:crypto calls it. */
  readonly curve: string | undefined;
  sign(content: Buffer, key: KeyObject): Buffer;
  verify(content: Buffer, signature: Buffer, key: KeyObject): boolean;
}

function asymmetric(
  name: string,
  keyKind: JwtKeyKind,
  hash: string | undefined,
  extra: {
    readonly padding?: number;
    readonly dsaEncoding?: 'ieee-p1363';
    readonly curve?: string;
  } = {},
): JwtAlgorithm {
  const { curve, ...options } = extra;
  const isPss = options.padding === constants.RSA_PKCS1_PSS_PADDING;
  const signLength = isPss ? { saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
  const verifyLength = isPss ? { saltLength: constants.RSA_PSS_SALTLEN_AUTO } : {};
  return {
    name,
    keyKind,
    curve,
    sign: (content, key) => signBytes(hash, content, { key, ...options, ...signLength }),
    verify: (content, signature, key) =>
      verifyBytes(hash, content, { key, ...options, ...verifyLength }, signature),
  };
}

function hmac(name: string, hash: string): JwtAlgorithm {
  const digest = (content: Buffer, key: KeyObject) =>
    createHmac(hash, key).update(content).digest();
  return {
    name,
    keyKind: 'hmac',
    curve: undefined,
    sign: digest,
    verify(content, signature, key) {
      const expected = digest(content, key);
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    },
  };
}

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING };
const p1363 = (curve: string) => ({ dsaEncoding: 'ieee-p1363', curve }) as const;

/** Every sign method that etcd knows, by its name (reference: semantics 7.3). */
export const JWT_ALGORITHMS: ReadonlyMap<string, JwtAlgorithm> = new Map(
  [
    asymmetric('RS256', 'rsa', 'sha256'),
    asymmetric('RS384', 'rsa', 'sha384'),
    asymmetric('RS512', 'rsa', 'sha512'),
    asymmetric('PS256', 'rsa', 'sha256', PSS),
    asymmetric('PS384', 'rsa', 'sha384', PSS),
    asymmetric('PS512', 'rsa', 'sha512', PSS),
    asymmetric('ES256', 'ec', 'sha256', p1363('prime256v1')),
    asymmetric('ES384', 'ec', 'sha384', p1363('secp384r1')),
    asymmetric('ES512', 'ec', 'sha512', p1363('secp521r1')),
    asymmetric('EdDSA', 'ed25519', undefined),
    hmac('HS256', 'sha256'),
    hmac('HS384', 'sha384'),
    hmac('HS512', 'sha512'),
  ].map((algorithm) => [algorithm.name, algorithm]),
);
