/**
 * Our server without the command around it. Bundled unminified, so that a CPU profile shows the
 * functions under their names; bench/profile-summary.ts finds their files by esbuild's comments.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from '../src/base/logger.js';
import { parseServerConfig } from '../src/server/config/parse-server-config.js';
import { startServer } from '../src/server/server.js';

const parsed = parseServerConfig(process.argv.slice(2), {}, (path) => readFileSync(path, 'utf8'));
if (parsed.kind === 'exit') {
  console.error(parsed.stderr);
  process.exit(parsed.code);
}

const quiet = (): void => undefined;
const loud = (message: string, fields?: unknown): void => console.error(message, fields);
const logger: Logger = {
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: loud,
  fatal: loud,
  named: () => logger,
  at: () => logger,
};

const server = await startServer({
  config: parsed.config,
  logger,
  runtimeVersion: `node${process.versions.node}`,
  onFatal: (error) => {
    console.error(error);
    process.exit(1);
  },
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => server.stop().then(() => process.exit()));
}
