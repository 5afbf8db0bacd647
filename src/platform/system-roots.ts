import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';

/** Where systems keep the certificates that they trust; the first that is there counts, as in Go. */
const ROOT_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * The certificates that this system trusts, in PEM; those that come with Node where it has none.
 * SSL_CERT_FILE names another file, as it does for Go's programs.
 *
 * Trap: Node itself trusts only its own list, so that a company's own authority, installed on the
 * system, would count for etcdctl and not for us.
 */
export async function systemRoots(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const named = environment.SSL_CERT_FILE;
  for (const path of named ? [named] : ROOT_FILES) {
    try {
      return await readFile(path, 'utf8');
    } catch {
      // Go too passes over what it cannot read.
    }
  }
  return rootCertificates.join('\n');
}
