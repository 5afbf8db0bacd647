import { Command } from '@oclif/core/command';
import type { Config } from '@oclif/core/config';
import { type ParsedArguments, parseArguments } from './args/flag-set.js';
import { boolFlag, type Flags } from './args/flags.js';
import { parseGoArguments } from './args/go-flag-set.js';
import { HelpRequested } from './exit.js';
import { FACES, type Face, type Section } from './faces.js';
import type { ManifestCommands } from './manifest.js';
import { type OutputFormat, supportedFormat } from './printers/output-format.js';
import { processTerminal, type Terminal } from './terminal.js';

/** Where a command runs: the name it was called by and the streams it may use. */
export interface Invocation {
  readonly face: Face;
  readonly terminal: Terminal;
  /** All commands of the program, for help. */
  readonly commands: ManifestCommands;
}

const HELP_FLAG = { help: boolFlag('help', { short: 'h' }) };

/**
 * What all commands share: an oclif command whose command line is parsed by pflag's rules.
 * Subclasses declare `flags` and implement {@link execute}.
 */
export abstract class BaseCommand<Declared extends Flags> extends Command {
  /** Cobra's use line: the command word and its arguments. */
  static override usage: string;
  /** Heading of the root help page under which the command stands. */
  static section: Section = 'Utility commands';
  static override flags: Command.Class['flags'] = {};
  static faces: readonly Face[] = ['etcdkit', 'etcdctl'];

  readonly invocation: Invocation;
  #parsed: ParsedArguments<Flags> | undefined;

  constructor(argv: string[], config: Config, invocation?: Invocation) {
    super(argv, config);
    this.invocation = invocation ?? { face: 'etcdkit', terminal: processTerminal, commands: {} };
  }

  protected get terminal(): Terminal {
    return this.invocation.terminal;
  }

  /**
   * @throws ParseError, HelpRequested, CommandFailure
   */
  override async run(): Promise<void> {
    this.parsed = true;
    const input = this.#parse();
    this.#parsed = input;
    await this.execute(input as unknown as ParsedArguments<Declared>);
  }

  /** @throws ParseError, HelpRequested */
  #parse(): ParsedArguments<Flags> {
    const declared = this.declaredFlags();
    if (FACES[this.invocation.face].hasGoFlags) return parseGoArguments(declared, this.argv);
    const input = parseArguments({ ...declared, ...HELP_FLAG }, this.argv);
    if (input.flags.help) throw new HelpRequested();
    return input;
  }

  /** The whole parsed command line, flags that {@link execute} does not see included. */
  protected get parsedArguments(): ParsedArguments<Flags> {
    if (this.#parsed === undefined) throw new Error('the command line has not been parsed yet');
    return this.#parsed;
  }

  /** @throws CommandFailure if the command has no form for the wanted format */
  protected requireFormat(...supported: OutputFormat[]): OutputFormat {
    return supportedFormat(this.parsedArguments.flags['write-out'], supported);
  }

  /** Writes to stdout and waits until it takes more. */
  protected async write(content: string | Uint8Array): Promise<void> {
    this.terminal.out(content);
    await this.terminal.outDrained?.();
  }

  /** Every flag the command takes: its own, and those of all commands of the face. */
  private declaredFlags(): Flags {
    return { ...FACES[this.invocation.face].globalFlags, ...this.ownFlags() };
  }

  /** The flags that the command declares. */
  protected ownFlags(): Flags {
    // What commands put into oclif's `flags` is made by boolFlag and valueFlag.
    return this.ctor.flags as unknown as Flags;
  }

  /** Does the command's work: parse what is left, call, print. */
  protected abstract execute(input: ParsedArguments<Declared>): Promise<void>;
}
