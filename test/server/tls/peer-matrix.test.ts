import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LeafFiles, TestAuthority } from '../../support/certificates.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import { shakeHands } from './handshake.js';
import { hasOpenssl, pairFlags, startTls, type Visitor, visitByOpenssl } from './world.js';

let directory: TempDir;
let authority: TestAuthority;
let stranger: TestAuthority;
let server: LeafFiles;
let peer: LeafFiles;
let expired: LeafFiles;
let foreign: LeafFiles;
let unknown: LeafFiles;

beforeAll(async () => {
  directory = await makeTempDir();
  authority = new TestAuthority(directory.path);
  stranger = new TestAuthority(directory.path, 'stranger');
  server = authority.issue('server');
  peer = authority.issue('peer', { commonName: 'peer-1' });
  expired = authority.issue('expired', { endsInMillis: -60_000 });
  foreign = authority.issue('foreign', { commonName: 'peer-1', names: ['192.0.2.1'] });
  unknown = stranger.issue('unknown', { commonName: 'peer-1' });
});
afterAll(() => directory.remove());

interface Case {
  readonly name: string;
  readonly flags?: () => string[];
  readonly shows?: () => LeafFiles;
  readonly version?: '1.2' | '1.3';
  /** Why the server rejects; undefined: it does not. */
  readonly rejected?: string;
}

const mutual = (): string[] => [
  '--peer-client-cert-auth',
  `--peer-trusted-ca-file=${authority.caFile}`,
];

const CASES: readonly Case[] = [
  { name: 'server only' },
  { name: 'server only, TLS 1.2', version: '1.2' },
  { name: 'server only, TLS 1.3', version: '1.3' },
  {
    name: 'TLS 1.2 where 1.3 is the lowest',
    flags: () => ['--tls-min-version=TLS1.3'],
    version: '1.2',
    rejected: 'tls: client offered only unsupported versions',
  },
  { name: 'mutual', flags: mutual, shows: () => peer },
  {
    name: 'mutual, no certificate',
    flags: mutual,
    rejected: "tls: client didn't provide a certificate",
  },
  {
    name: 'mutual, certificate of another CA',
    flags: mutual,
    shows: () => unknown,
    rejected: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  },
  {
    name: 'mutual, expired certificate',
    flags: mutual,
    shows: () => expired,
    rejected:
      'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  },
  {
    name: 'revoked certificate',
    flags: () => [...mutual(), `--peer-crl-file=${authority.revoke('crl', [peer.serial])}`],
    shows: () => peer,
    rejected: 'transport: certificate serial ',
  },
  {
    name: 'allowed common name',
    flags: () => [...mutual(), '--peer-cert-allowed-cn=peer-2,peer-1'],
    shows: () => peer,
  },
  {
    name: 'another common name is allowed',
    flags: () => [...mutual(), '--peer-cert-allowed-cn=peer-2'],
    shows: () => peer,
    rejected: 'client certificate authentication failed',
  },
  {
    name: 'another host name is allowed',
    flags: () => [...mutual(), '--peer-cert-allowed-hostname=other.test'],
    shows: () => peer,
    rejected: 'client certificate authentication failed',
  },
  {
    name: 'certificate for another address',
    flags: mutual,
    shows: () => foreign,
    rejected: 'x509: certificate is valid for 192.0.2.1, not 127.0.0.1',
  },
  {
    name: 'certificate for another address, without that check',
    flags: () => [...mutual(), '--peer-skip-client-san-verification'],
    shows: () => foreign,
  },
];

describe.each(CASES)('$name', ({ flags, shows, version, rejected }) => {
  it(`at the peer port, for Node${hasOpenssl ? ' and openssl' : ' alone'}`, async () => {
    const etcd = await startTls([
      ...pairFlags(server),
      ...pairFlags(server, true),
      ...(flags?.() ?? []),
    ]);
    try {
      const visitor: Visitor = {
        trusts: authority,
        ...(shows === undefined ? {} : { shows: shows() }),
        ...(version === undefined ? {} : { version }),
      };
      const visits = [shakeHands(etcd.peerEndpoint, visitor)];
      if (hasOpenssl) {
        visits.push(
          visitByOpenssl(etcd.peerEndpoint, visitor).then(({ stdout }) => ({
            isSecure: stdout.includes('Verify return code: 0'),
          })),
        );
      }
      await Promise.all(visits);
      await expect
        .poll(() => etcd.rejections('peer').length)
        .toBe(rejected === undefined ? 0 : visits.length);
      for (const text of etcd.rejections('peer')) {
        expect(text.startsWith(rejected ?? 'nothing')).toBe(true);
      }
      if (rejected === undefined) {
        const made = await Promise.all(visits);
        expect(made.map(({ isSecure }) => isSecure)).toEqual(visits.map(() => true));
      }
      // Peers and clients do not share their rules.
      expect((await shakeHands(etcd.endpoint, { trusts: authority })).isSecure).toBe(true);
    } finally {
      await etcd.stop();
    }
  });
});

it('makes a certificate of its own with --peer-auto-tls', async () => {
  const etcd = await startTls(['--auto-tls', '--peer-auto-tls'], 'disk');
  try {
    const caFile = `${etcd.dataDirectory}/fixtures/peer/cert.pem`;
    expect(await shakeHands(etcd.peerEndpoint, { trusts: { caFile } })).toMatchObject({
      isSecure: true,
    });
    // The one for clients is another.
    expect(await shakeHands(etcd.endpoint, { trusts: { caFile } })).toMatchObject({
      isSecure: false,
    });
  } finally {
    await etcd.stop();
  }
});
