import { type KeyObject, sign } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import {
  DerTag,
  der,
  derBitString,
  derInteger,
  derObjectIdentifier,
  derSequence,
  derTime,
} from '../../base/der.js';

/** Bits of the key usage extension, the first one highest. */
export const KeyUsage = {
  digitalSignature: 0x80,
  keyEncipherment: 0x20,
  certSign: 0x04,
  crlSign: 0x02,
} as const;

/** What a key may be used for in TLS. */
export const ExtendedKeyUsage = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

export interface DistinguishedName {
  readonly organization?: string;
  readonly commonName?: string;
}

/** What a certificate says. */
export interface CertificateRequest {
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  /** Who signs: for a self-signed certificate its own subject and key. */
  readonly issuer: { readonly name: DistinguishedName; readonly key: KeyObject };
  /** Big-endian, positive, at most 20 bytes. */
  readonly serial: Uint8Array;
  readonly notBeforeMillis: number;
  readonly notAfterMillis: number;
  readonly isCa: boolean;
  /** Sum of {@link KeyUsage} bits. */
  readonly keyUsage: number;
  readonly extendedKeyUsage: readonly string[];
  /** Host names and IP addresses. */
  readonly names: readonly string[];
}

const ECDSA_WITH_SHA512 = derSequence(derObjectIdentifier('1.2.840.10045.4.3.4'));
const TRUE = der(DerTag.boolean, Uint8Array.of(0xff));

/**
 * Issues an X.509 version 3 certificate, in DER.
 * @param request the issuer's key must be an elliptic curve key
 */
export function issueCertificate(request: CertificateRequest): Buffer {
  return signed(
    derSequence(
      // Version 3 is written as 2.
      der(0xa0, derInteger(Uint8Array.of(2))),
      derInteger(request.serial),
      ECDSA_WITH_SHA512,
      derName(request.issuer.name),
      derSequence(derTime(request.notBeforeMillis), derTime(request.notAfterMillis)),
      derName(request.subject),
      request.publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, derSequence(...extensions(request))),
    ),
    request.issuer.key,
  );
}

/** What is signed, followed by the signature: the outer form of certificates and lists. */
export function signed(body: Buffer, key: KeyObject): Buffer {
  return derSequence(body, ECDSA_WITH_SHA512, derBitString(sign('sha512', body, key)));
}

/** The algorithm that {@link signed} signs with, for what repeats it. */
export const SIGNATURE_ALGORITHM: Buffer = ECDSA_WITH_SHA512;

export function derName({ organization, commonName }: DistinguishedName): Buffer {
  const attribute = (type: string, value: string | undefined): Buffer[] =>
    value === undefined
      ? []
      : [
          der(
            DerTag.set,
            derSequence(derObjectIdentifier(type), der(DerTag.utf8String, Buffer.from(value))),
          ),
        ];
  return derSequence(...attribute('2.5.4.10', organization), ...attribute('2.5.4.3', commonName));
}

function extensions(request: CertificateRequest): Buffer[] {
  const { isCa, keyUsage, extendedKeyUsage, names } = request;
  const all = [
    extension('2.5.29.15', true, derKeyUsage(keyUsage)),
    extension('2.5.29.19', true, isCa ? derSequence(TRUE) : derSequence()),
  ];
  if (extendedKeyUsage.length > 0) {
    all.push(
      extension('2.5.29.37', false, derSequence(...extendedKeyUsage.map(derObjectIdentifier))),
    );
  }
  if (names.length > 0) {
    all.push(extension('2.5.29.17', false, derSequence(...names.map(alternativeName))));
  }
  return all;
}

function extension(type: string, isCritical: boolean, value: Buffer): Buffer {
  return derSequence(
    derObjectIdentifier(type),
    ...(isCritical ? [TRUE] : []),
    der(DerTag.octetString, value),
  );
}

function derKeyUsage(bits: number): Buffer {
  const unused = 31 - Math.clz32(bits & -bits);
  return der(DerTag.bitString, Uint8Array.of(unused, bits));
}

function alternativeName(name: string): Buffer {
  const family = isIP(name);
  if (family === 0) return der(0x82, Buffer.from(name));
  return der(0x87, family === 4 ? Buffer.from(name.split('.').map(Number)) : ipv6Bytes(name));
}

function ipv6Bytes(address: string): Buffer {
  const { address: canonical } = new SocketAddress({ address, family: 'ipv6' });
  const hexadecimal = canonical.replace(/\d+\.\d+\.\d+\.\d+$/, (end) => {
    const [a = 0, b = 0, c = 0, d = 0] = end.split('.').map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [head = '', tail] = hexadecimal.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return Buffer.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]));
}

/** PEM text of DER bytes. */
export function pemText(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The key as `EC PRIVATE KEY` in PEM, as Go's tools write it. */
export function ecKeyPem(key: KeyObject): string {
  return key.export({ type: 'sec1', format: 'pem' }).toString();
}
