/** Exit codes of etcdctl and etcdutl (reference: cli 1.2). */
export const ExitCode = {
  Success: 0,
  Error: 1,
  BadConnection: 2,
  /** A command line that Go's flag package refuses. */
  GoUsage: 2,
  InvalidInput: 3,
  BadFeature: 4,
  Interrupted: 5,
  Io: 6,
  BadArguments: 128,
} as const;

/** What a process that dies from writing to a closed pipe returns to its shell: 128 + SIGPIPE. */
export const EXIT_BROKEN_PIPE = 141;

/**
 * Ends a command: the program prints `Error: <message>` and exits with `exitCode`.
 * Without a message nothing is printed, because the command said it all.
 */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;
  /** A second line on stderr that names the broken layer and what to try. */
  readonly hint: string | undefined;

  constructor(
    exitCode: number,
    message?: string,
    options: { cause?: unknown; hint?: string } = {},
  ) {
    super(message ?? '', 'cause' in options ? { cause: options.cause } : {});
    this.exitCode = exitCode;
    this.hint = options.hint;
  }
}

/** Asks for the help page instead of the command. */
export class HelpRequested extends Error {
  override readonly name = 'HelpRequested';
}
