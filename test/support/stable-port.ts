import { createServer } from 'node:net';

/**
 * Below the ports that the system gives to outgoing connections, and different ones for each worker
 * of the tests, so that a killed member's stay free.
 */
const PORTS = { lowest: 12_000, count: 1250, ranges: 16 };

const taken = new Set<number>();

/** A port that nobody listens on, and that stays free while its member is down. */
export async function stablePort(): Promise<number> {
  const range = (Number(process.env.VITEST_POOL_ID ?? 1) - 1) % PORTS.ranges;
  const lowest = PORTS.lowest + range * PORTS.count;
  for (;;) {
    const port = lowest + Math.floor(Math.random() * PORTS.count);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
