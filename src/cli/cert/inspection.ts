import { readFileSync } from 'node:fs';
import { serverCertificates } from '../../client/server-certificates.js';
import type { ClientTlsOptions } from '../../client/transport/connection-options.js';
import { type CertificateFacts, certificateFacts } from '../../platform/certificate-facts.js';
import { fileErrorText } from '../../platform/file-error-text.js';
import { parseCertificates } from '../../platform/key-pair.js';
import { nodeClock } from '../../platform/node-clock.js';

/** What `cert inspect` found. */
export interface Inspection {
  readonly certificates: readonly CertificateFacts[];
  /** Why a client would not accept what a server shows. */
  readonly problem: string | undefined;
}

const ADDRESS = /^[^/]+:\d+$/;

/**
 * Looks at the certificates of a file, or of the server at an endpoint if there is no such file and
 * the text can be one.
 * @throws Error with one line for a person
 */
export async function inspect(
  target: string,
  tls: ClientTlsOptions,
  timeoutMillis: number,
): Promise<Inspection> {
  const bytes = target.includes('://') ? undefined : readIfThere(target);
  const { chain, problem } =
    bytes === undefined
      ? await serverCertificates(target, tls, timeoutMillis)
      : { chain: parseCertificates(bytes), problem: undefined };
  if (chain.length === 0) throw new Error(`${target}: there is no certificate in it`);
  const now = nodeClock.wallMillis();
  return { certificates: chain.map((one) => certificateFacts(one, now)), problem };
}

/** Undefined if there is no such file and the text may be an address. */
function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isAbsent && ADDRESS.test(path)) return undefined;
    throw new Error(fileErrorText('open', path, error));
  }
}

/** The facts as lines for a person. */
export function inspectionText({ certificates }: Inspection): string {
  return certificates.map(certificateText).join('\n');
}

function certificateText(facts: CertificateFacts): string {
  const lines: readonly (readonly [string, string])[] = [
    ['Subject', facts.subject],
    ['Issuer', facts.issuer],
    ['Names', facts.alternativeNames.join(', ')],
    ['Valid from', facts.notBefore],
    ['Valid until', `${facts.notAfter} (${daysText(facts.daysLeft)})`],
    ['Key', facts.key],
    ['Authority', facts.isAuthority ? 'yes' : 'no'],
    ['Serial', facts.serial],
    ['SHA-256', facts.fingerprint],
  ];
  return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${value}\n`).join('');
}

function daysText(days: number): string {
  if (days < 0) return 'expired';
  return days === 1 ? '1 day left' : `${days} days left`;
}

export const INSPECTION_COLUMNS = [
  'SUBJECT',
  'ISSUER',
  'NAMES',
  'VALID FROM',
  'VALID UNTIL',
  'DAYS LEFT',
  'KEY',
] as const;

export function inspectionRow(facts: CertificateFacts): string[] {
  return [
    facts.subject,
    facts.issuer,
    facts.alternativeNames.join(','),
    facts.notBefore,
    facts.notAfter,
    String(facts.daysLeft),
    facts.key,
  ];
}
