import { readFileSync } from 'node:fs';
import type { ServeEnd, ServeHost, StopSignal } from '../server/serve.js';

/** What stops a server. */
const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/** This process, as a server sees it. */
function processServeHost(): ServeHost {
  return {
    environment: process.env,
    // The library instead of our own HTTP/2: to tell whose fault it is.
    ...(process.env.ETCDKIT_TRANSPORT === 'grpc-js' ? { transport: 'grpc-js' } : {}),
    build: {
      gitSha: '',
      runtime: `node${process.versions.node}`,
      platform: `${process.platform}/${process.arch}`,
    },
    readFile: (path) => readFileSync(path, 'utf8'),
    connectDiscovery: async (settings) =>
      (await import('./discovery-store.js')).connectDiscovery(settings),
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    stderrIsTerminal: process.stderr.isTTY === true,
    onStopSignal(callback) {
      let signalled = false;
      for (const signal of SIGNALS) {
        process.on(signal, () => {
          if (!signalled) callback(signal);
          signalled = true;
        });
      }
    },
  };
}

/** Runs a server in this process until it ends, and ends the process as it should. */
export async function serveAndExit(argv: readonly string[]): Promise<never> {
  const { runServe } = await import('../server/serve.js');
  return exitAs(await runServe(argv, processServeHost()));
}

/** A signal that stopped a server is raised anew, so that the parent sees what ended it. */
async function exitAs(end: ServeEnd): Promise<never> {
  await flushed(process.stdout);
  await flushed(process.stderr);
  if (end.kind === 'exit') process.exit(end.code);
  // As the first process of a container nothing would come of raising it.
  if (process.pid === 1) process.exit(0);
  process.removeAllListeners(end.signal);
  process.kill(process.pid, end.signal);
  return new Promise(() => {});
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
