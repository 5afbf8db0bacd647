/** How the value of a flag is read (reference: server 1.1, 1.2). */
export type FlagKind =
  | 'string'
  | 'bool'
  | 'uint'
  | 'uint32'
  | 'uint64'
  | 'int'
  | 'int64'
  /** Go duration text; nanoseconds in the configuration file. */
  | 'duration'
  /** Comma list of URLs, sorted and without duplicates. */
  | 'urls'
  /** Comma list, sorted and without duplicates. */
  | 'uniqueList'
  /** Comma list in the given order. */
  | 'list'
  /** One of `choices`. */
  | 'choice'
  /** Comma list of `choices`. */
  | 'choices'
  /** `*` or a list of URLs. */
  | 'origins'
  | 'featureGates'
  /** Accepted with any value, and of no effect. */
  | 'ignored';

export type FlagSection =
  | 'Member'
  | 'Clustering'
  | 'Security'
  | 'Logging, monitoring and tracing'
  | 'Features'
  | 'Other';

/** One flag of the server. */
export interface FlagSpec {
  readonly name: string;
  readonly kind: FlagKind;
  readonly section: FlagSection;
  /** As it would stand on the command line. */
  readonly defaultText: string;
  /** Path in the configuration file, dots between the levels; undefined: not settable there. */
  readonly yaml: string | undefined;
  /** First release with this name; several: back-ported; empty: etcd has no such flag. */
  readonly since: string;
  readonly help: string;
  readonly choices: readonly string[];
}

/** Kind, default, YAML path (`=`: the flag's name), first release, help, choices. */
export type FlagRow = readonly [FlagKind, string, string, string, string, (readonly string[])?];

export type FlagRows = Readonly<Record<string, FlagRow>>;
