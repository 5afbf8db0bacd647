import type { CallOptions } from '../client/caller.js';
import type { Client } from '../client/client.js';
import { diagnosisText } from '../client/diagnosis.js';
import { diagnosesOf } from '../client/errors.js';
import { nodeClock } from '../platform/node-clock.js';
import { type Flags, INHERITED_GROUP } from './args/flags.js';
import { BaseCommand } from './base-command.js';
import { CommandFailure } from './exit.js';
import { FACES, type Face } from './faces.js';
import { createPrinter } from './printers/create-printer.js';
import { outputFormat } from './printers/output-format.js';
import type { Printer } from './printers/printer.js';
import { callFailure, Session } from './session.js';

/**
 * When the `--command-timeout` of a command begins to run (reference: cli 2.6).
 *
 * Trap: with `before-setup` ETCDCTL_COMMAND_TIMEOUT has no effect, because etcdctl sets the deadline
 * before it reads the environment.
 */
export type DeadlineRule = 'before-setup' | 'after-setup' | 'none';

/** How long a command without a deadline waits before it says what for. */
const WAIT_NOTICE_MILLIS = 5_000;

/** What the work of a client command gets. */
export interface ClientContext {
  readonly client: Client;
  readonly printer: Printer;
  readonly session: Session;
  /** Deadline of the command's calls. */
  readonly options: CallOptions;
}

/** A command that talks to a cluster. */
export abstract class ClientCommand<Declared extends Flags> extends BaseCommand<Declared> {
  // Trap: oclif's manifest leaves out what a class inherits past one without statics of its own.
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl'];

  /** ETCDCTL_* variables that the command reads itself, beside those of its flags. */
  protected readonly ownVariables: readonly string[] = [];
  /** Name of the client in log lines. */
  protected readonly loggerName: string = 'etcd-client';

  /** Does `work` with a session, and closes it whatever happens. */
  protected async withSession(
    work: (session: Session, printer: Printer) => Promise<void>,
  ): Promise<void> {
    const { flags, given } = this.parsedArguments;
    const session = await Session.open({
      terminal: this.terminal,
      inheritedFlags: this.inheritedFlags(),
      values: flags,
      given,
      ownVariables: this.ownVariables,
      loggerName: this.loggerName,
    });
    try {
      const { 'write-out': format, hex } = session.flags;
      await work(session, await createPrinter(outputFormat(format), hex));
    } catch (error) {
      throw callFailure(error);
    } finally {
      session.close();
    }
  }

  /** Does `work` with a client of all the endpoints. */
  protected async withClient(
    rule: DeadlineRule,
    work: (context: ClientContext) => Promise<void>,
  ): Promise<void> {
    const started = nodeClock.monotonicMillis();
    // The declared kind of the flag makes this a number.
    const timeout = Number(this.parsedArguments.flags['command-timeout']);
    await this.withSession(async (session, printer) => {
      const client = await session.client();
      const options =
        rule === 'before-setup' ? { deadlineMillis: started + timeout } : session.deadline(rule);
      const notice =
        rule === 'none'
          ? nodeClock.setTimer(WAIT_NOTICE_MILLIS, () => this.tellWhatItWaitsFor(client))
          : undefined;
      try {
        await work({ client, printer, session, options });
      } finally {
        notice?.cancel();
      }
    });
  }

  /** Names the layer that broke, below a line of the command's own about a failed call. */
  protected tellBrokenLayer(error: unknown): void {
    const cause = error instanceof CommandFailure ? error.cause : error;
    for (const diagnosis of diagnosesOf(cause)) {
      this.terminal.error(`${diagnosisText(diagnosis)}\n`);
    }
  }

  /** A command without a deadline would otherwise wait in silence for a server that is not there. */
  private tellWhatItWaitsFor(client: Client): void {
    const problems = client.diagnoses().map(diagnosisText);
    if (problems.length === 0) return;
    this.terminal.error(`still waiting for a connection: ${problems.join('; ')}\n`);
  }

  /** Flags that variables may set: the globals, and what a parent command declares. */
  private inheritedFlags(): Flags {
    const inherited = Object.entries(this.ownFlags()).filter(
      ([, flag]) => flag.helpGroup === INHERITED_GROUP,
    );
    return { ...FACES[this.invocation.face].globalFlags, ...Object.fromEntries(inherited) };
  }
}
