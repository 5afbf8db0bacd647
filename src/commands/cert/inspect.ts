import type { ParsedArguments } from '../../cli/args/flag-set.js';
import {
  INSPECTION_COLUMNS,
  type Inspection,
  inspect,
  inspectionRow,
  inspectionText,
} from '../../cli/cert/inspection.js';
import { ClientCommand } from '../../cli/client-command.js';
import { tlsOptions } from '../../cli/client-config.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face } from '../../cli/faces.js';
import { UnsupportedFormatError } from '../../cli/printers/printer.js';

/** `cert inspect`: what a certificate says, on disk or at a server; a command of etcdkit alone. */
export default class CertInspect extends ClientCommand<Record<string, never>> {
  static override summary = 'Shows the certificates of a file or of a server';
  static override description =
    `Prints subject, issuer, names, validity, days left and key of each certificate of a PEM or DER file, or of
the chain that the TLS server at an endpoint shows, whether it is trusted or not. If it is not, stderr says why.`;
  static override usage = 'cert inspect <file or endpoint>';
  static override faces: readonly Face[] = ['etcdkit'];

  protected override async execute(input: ParsedArguments<Record<string, never>>): Promise<void> {
    const [target] = input.positionals;
    if (target === undefined || input.positionals.length !== 1) {
      throw new CommandFailure(
        ExitCode.BadArguments,
        'cert inspect command needs a file or an endpoint as its argument',
      );
    }
    await this.withSession(async (session, printer) => {
      const tls = tlsOptions(session.flags, new Set(), undefined) ?? {};
      const found = await inspect(target, tls, session.flags['command-timeout']);
      this.terminal.out(await render(found, printer.format));
      if (found.problem !== undefined) this.terminal.error(`${found.problem}\n`);
    });
  }
}

async function render(found: Inspection, format: string): Promise<string | Buffer> {
  switch (format) {
    case 'simple':
      return inspectionText(found);
    case 'json':
      return `${JSON.stringify(found.certificates)}\n`;
    case 'table': {
      const { table } = await import('../../cli/printers/table-printer.js');
      return table(INSPECTION_COLUMNS, found.certificates.map(inspectionRow));
    }
    default:
      throw new UnsupportedFormatError(format);
  }
}
