/**
 * `npm run bench`: bundles the TypeScript of this folder, which Node 20 cannot run as it is, and
 * starts it. The programs measured are bin/etcd.js, as built, and a real etcd; for profiles our
 * server is bundled anew, unminified.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = `${root}node_modules/.cache/etcdkit-bench`;
const isProfiled = process.argv.some((argument) => argument.startsWith('--profile'));
await build({
  entryPoints: {
    main: `${root}bench/main.ts`,
    child: `${root}bench/load/child.ts`,
    ...(isProfiled ? { server: `${root}bench/profiled-server.ts` } : {}),
  },
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
});
const { main } = await import(`${outdir}/main.mjs`);
process.exitCode = await main(process.argv.slice(2), {
  loadProgram: `${outdir}/child.mjs`,
  ourTool: `${root}bin/etcdctl.js`,
  ourProgram: isProfiled ? `${outdir}/server.mjs` : `${root}bin/etcd.js`,
});
