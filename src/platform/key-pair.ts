import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

const BLOCK = /-----BEGIN ([^-\n]+)-----[\s\S]*?-----END \1-----/g;

interface PemBlock {
  readonly label: string;
  readonly text: string;
}

function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([block, label = '']) => ({ label, text: block }));
}

/**
 * The certificates of a PEM text or of DER bytes, in order.
 * @throws Error with Go's text if one of them is malformed
 */
export function parseCertificates(bytes: Buffer): X509Certificate[] {
  const blocks = pemBlocks(bytes.toString('latin1')).filter(({ label }) => label === 'CERTIFICATE');
  const isDer = blocks.length === 0 && bytes[0] === 0x30;
  return (isDer ? [bytes] : blocks.map(({ text }) => text)).map(parseCertificate);
}

function parseCertificate(source: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(source);
  } catch {
    throw new Error('x509: malformed certificate');
  }
}

/**
 * Checks that a certificate file and a key file belong together, as Go does when it loads them.
 * @returns the leaf certificate
 * @throws Error with Go's text
 */
export function checkKeyPair(certificatePem: Buffer, keyPem: Buffer): X509Certificate {
  const [leaf] = parseCertificates(onlyCertificates(certificatePem));
  if (leaf === undefined) throw new Error('x509: malformed certificate');
  const key = privateKey(keyPem);
  if (!leaf.checkPrivateKey(key)) throw new Error('tls: private key does not match public key');
  return leaf;
}

function onlyCertificates(pem: Buffer): Buffer {
  const labels = pemBlocks(pem.toString('latin1')).map(({ label }) => label);
  if (labels.includes('CERTIFICATE')) return pem;
  const [only] = labels;
  if (only === undefined) {
    throw new Error('tls: failed to find any PEM data in certificate input');
  }
  if (labels.length === 1 && only.endsWith('PRIVATE KEY')) {
    throw new Error(
      'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
    );
  }
  throw new Error(
    `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${labels.join(' ')}]`,
  );
}

function privateKey(pem: Buffer): KeyObject {
  const blocks = pemBlocks(pem.toString('latin1'));
  const block = blocks.find(
    ({ label }) => label === 'PRIVATE KEY' || label.endsWith(' PRIVATE KEY'),
  );
  if (block === undefined) {
    const [only] = blocks;
    if (only === undefined) throw new Error('tls: failed to find any PEM data in key input');
    if (blocks.length === 1 && only.label === 'CERTIFICATE') {
      throw new Error('tls: found a certificate rather than a key in the PEM for the private key');
    }
    throw new Error(
      `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${blocks.map(({ label }) => label).join(' ')}]`,
    );
  }
  try {
    return createPrivateKey(block.text);
  } catch {
    throw new Error('tls: failed to parse private key');
  }
}
