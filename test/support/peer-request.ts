import http from 'node:http';
import { nodeClock } from '../../src/platform/node-clock.js';
import { formatId } from '../../src/server/membership/member.js';

/** What a peer answered. */
export interface PeerAnswer {
  readonly status: number;
  readonly body: string;
  readonly version: string | undefined;
  readonly clusterId: string | undefined;
  readonly allow: string | undefined;
}

/** The headers with which a member introduces itself. */
export function introduction(from: bigint, cluster: bigint): http.OutgoingHttpHeaders {
  return {
    'X-Server-From': formatId(from),
    'X-Server-Version': '3.7.1',
    'X-Min-Cluster-Version': '3.0.0',
    'X-Etcd-Cluster-ID': formatId(cluster),
  };
}

/** Asks a member on a connection of its own. @throws Error if there is no whole answer */
export function askPeer(
  port: number,
  path: string,
  headers: http.OutgoingHttpHeaders,
  method = 'GET',
  body?: Buffer,
): Promise<PeerAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, headers, method, agent: false });
    const timer = nodeClock.setTimer(5000, () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', reject);
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => {
        timer.cancel();
        resolve({
          status: response.statusCode ?? 0,
          body,
          version: header(response, 'x-server-version'),
          clusterId: header(response, 'x-etcd-cluster-id'),
          allow: header(response, 'allow'),
        });
      });
    });
    request.end(body);
  });
}

function header(response: http.IncomingMessage, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : undefined;
}
