import type { Difference } from './allowed-differences.js';
import type { Step } from './steps.js';

/**
 * A command line of etcdctl with what surrounds it. It runs in three worlds: the real etcdctl with
 * the real server, which is the oracle; the real etcdctl with our server; our etcdctl with the real
 * server. All outcomes must be equal, but for the differences named here.
 */
export interface Invocation {
  /** The title of the test, unique. */
  readonly name: string;
  /** What to do to the empty server first. */
  readonly setup?: readonly Step[];
  /**
   * The command line. `{rev}` is the revision after the setup, `{rev-1}` and the like are around
   * it, in stdin and variables too; `{endpoint}` is the server, `{learner}` the id of the learner of
   * the setup. `--endpoints` is put in front unless it is given.
   */
  readonly argv: readonly string[];
  /** Whole stdin. Left open after it if `endWhen` is given. Default: empty. */
  readonly stdin?: string | Buffer;
  /** Variables beside PATH. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What happens on the server once the program has written `when`, or at once. */
  readonly meanwhile?: { readonly when?: RegExp; readonly steps: readonly Step[] };
  /** Ends a program that does not end by itself, as soon as its output matches. */
  readonly endWhen?: RegExp;
  /** Default: SIGINT. */
  readonly endWith?: NodeJS.Signals;
  /** What no two runs share, beside addresses and log lines. */
  readonly varies?: readonly Variation[];
  /** How our server may differ from 3.4. */
  readonly server?: readonly Difference[];
  /** How our etcdctl may differ from 3.4. */
  readonly program?: readonly Difference[];
}

/** Parts of an output that no two runs share. */
export type Variation =
  | 'durations'
  | 'sizes'
  | 'raft-indexes'
  | 'hashes'
  | 'lease-ids'
  | 'member-ids'
  | 'revisions'
  | 'ttl'
  | 'addresses'
  | 'widths'
  | 'order'
  | 'versions';

type Extras = Omit<Partial<Invocation>, 'argv'>;

/** An invocation; a command line given as a text is cut at its spaces and is the title too. */
export function run(commandLine: string | readonly string[], extras: Extras = {}): Invocation {
  const argv = typeof commandLine === 'string' ? commandLine.split(' ') : commandLine;
  const quoted = argv.map((word) => (/^[\w./:=,{}@-]+$/.test(word) ? word : JSON.stringify(word)));
  return { name: quoted.join(' '), argv, ...extras };
}
