import type { FlagSection, FlagSpec } from './flag-spec.js';
import { FLAG_SPECS } from './flag-table.js';

/** How the server is called; printed on stderr with every syntax error. */
export const USAGE = `Usage:

  etcd [flags]
    Start an etcd server.

  etcd --version
    Show the version of etcd.

  etcd -h | --help
    Show the help information about etcd.

  etcd --config-file
    Path to the server configuration file. Note that if a configuration file is provided, other command line flags and environment variables will be ignored.

  etcd gateway
    Run the stateless pass-through etcd TCP connection forwarding proxy.

  etcd grpc-proxy
    Run the stateless etcd v3 gRPC L7 reverse proxy.

`;

/** The help of every flag, by section; printed on stdout for `--help`. */
export function flagHelp(): string {
  const sections = new Map<FlagSection, FlagSpec[]>();
  for (const spec of FLAG_SPECS) {
    if (spec.kind === 'ignored') continue;
    sections.set(spec.section, [...(sections.get(spec.section) ?? []), spec]);
  }
  const texts = [...sections].map(
    ([section, specs]) => `${section}:\n${specs.map(describe).join('')}`,
  );
  return `${texts.join('\n')}\n`;
}

function describe(spec: FlagSpec): string {
  return `  --${spec.name} '${spec.defaultText}'\n    ${spec.help}\n`;
}
