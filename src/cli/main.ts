import type { Config } from '@oclif/core/config';
import { restoreArguments } from './args/argument-bytes.js';
import { type FoundCommand, findCommand, UnknownCommandError } from './args/command-tree.js';
import { ParseError, parseArguments } from './args/flag-set.js';
import { boolFlag } from './args/flags.js';
import type { BaseCommand, Invocation } from './base-command.js';
import { ExitCode, HelpRequested } from './exit.js';
import { faceTree } from './face-tree.js';
import { FACES, type Face } from './faces.js';
import { type ManifestCommands, readManifest } from './manifest.js';
import { exitAfterFlush, exitOnBrokenPipe, processTerminal, type Terminal } from './terminal.js';

/** Built code lives in dist/, the manifest beside it. */
const MANIFEST = new URL('../../oclif.manifest.json', import.meta.url);
const COMMANDS_DIRECTORY = new URL('../commands/', import.meta.url);

type CommandClass = new (
  argv: string[],
  config: Config,
  invocation: Invocation,
) => BaseCommand<never>;

/** Runs the program under one of its names and ends the process. Entry point of bin/. */
export async function main(face: Face): Promise<void> {
  exitOnBrokenPipe();
  const argv = await commandLine();
  exitAfterFlush(await runCommandLine(face, argv, processTerminal));
}

/**
 * Finds the command, loads its file and nothing else, runs it.
 * @returns the exit code; errors are printed, not thrown
 */
async function runCommandLine(
  face: Face,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const commands = readManifest(MANIFEST);
  let found: FoundCommand | undefined;
  try {
    found = findCommand(faceTree(face, commands), argv);
    await runFound(found, { face, terminal, commands });
    return ExitCode.Success;
  } catch (error) {
    return await report(error, { face, found, commands, terminal, debug: wantsDebug(argv) });
  }
}

async function runFound(found: FoundCommand, invocation: Invocation): Promise<void> {
  if (found.node.id === undefined) {
    // A group: an unknown subcommand is no error, its help page is the answer (reference: cli 1.1).
    const flags = Object.assign({}, ...found.path.map((node) => node.inheritedFlags));
    parseArguments({ ...flags, help: boolFlag('help', { short: 'h' }) }, found.argv);
    throw new HelpRequested();
  }
  const file = new URL(`${found.node.id.replaceAll(':', '/')}.js`, COMMANDS_DIRECTORY);
  const module: { default: CommandClass } = await import(file.href);
  // Commands ask nothing of oclif's configuration but the program's name; loading it costs 50 ms.
  const config = { bin: invocation.face } as Config;
  await new module.default([...found.argv], config, invocation).run();
}

/** What {@link report} needs to know of the command that failed. */
interface FailedCommand {
  readonly face: Face;
  /** Undefined if the command line names none. */
  readonly found: FoundCommand | undefined;
  readonly commands: ManifestCommands;
  readonly terminal: Terminal;
  readonly debug: boolean;
}

async function report(error: unknown, failed: FailedCommand): Promise<number> {
  const { face, found, commands, terminal } = failed;
  if (error instanceof UnknownCommandError) {
    terminal.error(`Error: ${error.message}\nRun '${face} --help' for usage.\n`);
    if (FACES[face].repeatsErrors) terminal.out(`${error.message}\n`);
    return ExitCode.Error;
  }
  if (error instanceof HelpRequested && found !== undefined) {
    const { goFlagUsage, helpPage } = await import('./help.js');
    if (FACES[face].hasGoFlags) terminal.error(goFlagUsage(face, found, commands));
    else terminal.out(helpPage(face, found, commands));
    return ExitCode.Success;
  }
  if (error instanceof ParseError && found !== undefined) {
    const { goFlagUsage, usagePage } = await import('./help.js');
    if (FACES[face].hasGoFlags) {
      terminal.error(`${error.message}\n${goFlagUsage(face, found, commands)}`);
      return ExitCode.GoUsage;
    }
    terminal.error(`Error: ${error.message}\n${usagePage(face, found, commands)}\n`);
    if (FACES[face].repeatsErrors) terminal.out(`${error.message}\n`);
    return ExitCode.Error;
  }
  const { reportFailure } = await import('./failure-report.js');
  const { failurePrefix } = await import('./go-log.js');
  return reportFailure(error, terminal, failed.debug, failurePrefix(face));
}

/** A guess is good enough here: the command line may not even have been parsed. */
function wantsDebug(argv: readonly string[]): boolean {
  return argv.some((word) => /^--debug(=(1|t|T|true|TRUE|True))?$/.test(word));
}

/** The arguments, with bytes that are not UTF-8 kept where the system can tell them. */
async function commandLine(): Promise<string[]> {
  const argv = process.argv.slice(2);
  if (process.platform !== 'linux' || !argv.some((word) => word.includes('\ufffd'))) return argv;
  const { readFile } = await import('node:fs/promises');
  return restoreArguments(argv, await readFile('/proc/self/cmdline'));
}
