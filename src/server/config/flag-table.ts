import { CLUSTERING, MEMBER } from './cluster-flags.js';
import type { FlagRows, FlagSection, FlagSpec } from './flag-spec.js';
import { FEATURES, IGNORED, OBSERVING, OTHER, SECURITY } from './service-flags.js';

function section(name: FlagSection, rows: FlagRows): FlagSpec[] {
  return Object.entries(rows).map(([flag, [kind, defaultText, yaml, since, help, choices]]) => ({
    name: flag,
    kind,
    section: name,
    defaultText,
    yaml: yaml === '=' ? flag : yaml === '' ? undefined : yaml,
    since,
    help,
    choices: choices ?? [],
  }));
}

/** Every flag of the server, in the order of the help text. */
export const FLAG_SPECS: readonly FlagSpec[] = [
  ...section('Member', MEMBER),
  ...section('Clustering', CLUSTERING),
  ...section('Security', SECURITY),
  ...section('Logging, monitoring and tracing', OBSERVING),
  ...section('Features', FEATURES),
  ...section('Other', OTHER),
  ...IGNORED.map(
    (name): FlagSpec => ({
      name,
      kind: 'ignored',
      section: 'Other',
      defaultText: '',
      yaml: undefined,
      since: '2',
      help: '',
      choices: [],
    }),
  ),
];
