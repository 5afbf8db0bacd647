import { readFile } from 'node:fs/promises';
import { silentLogger } from '../../src/base/logger.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { nodeRandom } from '../../src/platform/node-random.js';
import type { TlsConfig } from '../../src/server/config/tls-config.js';
import { parseMemberUrl } from '../../src/server/config/urls.js';
import { prepareListenerTls } from '../../src/server/tls/listener-tls.js';
import { NO_TLS, type PeerMemberOptions } from './peer-member.js';

/** The TLS of a member's peer side, as flags would set it. */
export async function peerTls(
  dataDir: string,
  settings: Partial<TlsConfig>,
): Promise<Pick<PeerMemberOptions, 'listenerTls' | 'dialTls'>> {
  const config = { ...NO_TLS, ...settings };
  const listenerTls = await prepareListenerTls({
    endpoint: 'peer',
    config,
    urls: [parseMemberUrl('https://127.0.0.1:0')],
    dataDir,
    readFile,
    fs: nodeFs,
    clock: nodeClock,
    random: nodeRandom,
    logger: silentLogger,
  });
  if (listenerTls === undefined) throw new Error('there is no certificate');
  return { listenerTls, dialTls: { config, listenerPair: listenerTls.source, readFile } };
}
