/**
 * Builds dist/ from src/ and writes oclif.manifest.json. Runs on `npm ci`, so it stays quick.
 *
 *   dist/cli/main.js, serve-host.js   what bin/ starts
 *   dist/server/..., offline/...   programs of worker threads
 *   dist/commands/...        one file a command, in oclif's layout; shared code in dist/chunks
 *   dist/index.js, testing.js and dist/types   what others import
 *
 * With --no-types it leaves the declarations out; tests need none.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

/** Native modules, and packages that load files of their own by path, cannot be bundled. */
const EXTERNAL = ['lmdb'];

const commandFiles = readdirSync('src/commands', { recursive: true })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/commands/${name}`);
/** Programs of worker threads; `src/platform/worker-program.ts` finds them. */
const workerFiles = ['src/server/audit/audit-worker.ts', 'src/offline/hash-worker.ts'];
const libraryFiles = ['src/index.ts', 'src/testing.ts'].filter((name) => existsSync(name));

/**
 * oclif's Command loads its whole configuration, parser and help machinery: 30 ms of start-up for
 * code that no command of ours calls. So only the class itself is bundled, and the files beside it
 * are loaded from the installed package at their first use. That can be done line by line, because
 * TypeScript's CommonJS output reads every import as a property (`config_1.Config`).
 */
const lazyOclif = {
  name: 'lazy-oclif',
  setup(bundle) {
    const library = `${root}node_modules/@oclif/core/lib/`;
    bundle.onResolve({ filter: /^@oclif\/core\/command$/ }, () => ({
      path: `${library}command.js`,
    }));
    bundle.onLoad({ filter: /@oclif\/core\/lib\/command\.js$/ }, ({ path }) => ({
      contents: lazyRequires(readFileSync(path, 'utf8')),
      loader: 'js',
    }));
  },
};

/** Turns `const x = require("./y")` into a load at the first `x.property`. */
function lazyRequires(source) {
  const names = [];
  const declared = source.replace(
    /^const (\w+) = ((?:__import\w+\()?)require\("(\.\/[^"]+)"\)(\)?);$/gm,
    (line, name, open, path, close) => {
      // Read while the class is being defined.
      if (path === './cache') return line;
      names.push(name);
      return `let ${name}$; const ${name}$load = () => (${name}$ ??= ${open}oclifFile("${path}")${close});`;
    },
  );
  const uses = new RegExp(`\\b(${names.join('|')})\\.`, 'g');
  return `${OCLIF_FILE}${declared
    .replace(uses, '$1$load().')
    .replace(/\(0, logger_1\$load\(\)\.makeDebug\)\((.*)\);$/m, LAZY_DEBUG)}`;
}

/** Loads a file of the installed package, past its export map. */
const OCLIF_FILE = `const oclifFile = (path) =>
  require(require("node:path").join(require.resolve("@oclif/core/package.json"), "../lib", path));
`;

/** A debug function that loads the debug package when it is first called. */
const LAZY_DEBUG = '(...words) => (0, logger_1$load().makeDebug)($1)(...words);';

const bundle = await build({
  write: false,
  entryPoints: [
    'src/cli/main.ts',
    'src/cli/serve-host.ts',
    ...commandFiles,
    ...workerFiles,
    ...libraryFiles,
  ],
  outbase: 'src',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  external: EXTERNAL,
  plugins: [lazyOclif],
  // Bundled CommonJS packages call require for Node's own modules.
  banner: {
    js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
  },
});
replaceOutput(bundle.outputFiles);
await writeManifest();
if (libraryFiles.length > 0 && !process.argv.includes('--no-types')) writeTypes();

/**
 * Changes in dist/ what differs, file by file and atomically, so that a program that runs from
 * there meanwhile goes on working.
 */
function replaceOutput(files) {
  const kept = new Set(files.map(({ path }) => path));
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.${process.pid}`, contents);
    renameSync(`${path}.${process.pid}`, path);
  }
  for (const name of readdirSync('dist', { recursive: true })) {
    const path = join(root, 'dist', name);
    if (name.endsWith('.js') && !kept.has(path)) rmSync(path, { force: true });
  }
}

/** The manifest is oclif's own, made by its plugin loader from the commands just built. */
async function writeManifest() {
  const { Plugin } = await import('@oclif/core/config');
  const plugin = new Plugin({
    errorOnManifestCreate: true,
    ignoreManifest: true,
    root,
    type: 'core',
  });
  await plugin.load();
  const commands = Object.entries(plugin.manifest.commands)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([id, command]) => [id, withoutPlaces(command)]);
  const manifest = { commands: Object.fromEntries(commands), version: plugin.manifest.version };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const path = 'oclif.manifest.json';
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

/** What depends on where the package lies does not belong in a committed file. */
function withoutPlaces({ isESM: _esm, relativePath: _path, ...command }) {
  return command;
}

/** Declarations of what others may import. */
function writeTypes() {
  const tsc = 'node_modules/typescript/bin/tsc';
  const argv = [tsc, '-p', 'tsconfig.types.json'];
  const outcome = spawnSync(process.execPath, argv, { stdio: 'inherit' });
  if (outcome.status !== 0) process.exitCode = outcome.status ?? 1;
}
