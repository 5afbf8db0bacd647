import { boolFlag, type Flags } from './args/flags.js';
import {
  DUMP_DB_GLOBAL_FLAGS,
  DUMP_LOGS_GLOBAL_FLAGS,
  GLOBAL_FLAGS,
  UTILITY_GLOBAL_FLAGS,
} from './global-flags.js';

/** The names under which the program is started. */
export type Face = 'etcdkit' | 'etcdctl' | 'etcdutl' | 'etcd-dump-logs' | 'etcd-dump-db';

/** A command that only groups others (`lease`). */
export interface GroupCommand {
  readonly summary: string;
  readonly usage: string;
  readonly section: Section;
  /** Flags that every subcommand takes. */
  readonly flags?: Flags;
}

/** Headings of the root help page, in order of appearance. */
export const SECTIONS = [
  'Key-value commands',
  'Cluster maintenance commands',
  'Concurrency commands',
  'Authentication commands',
  'Utility commands',
  'Server commands',
] as const;

export type Section = (typeof SECTIONS)[number];

/** What a face shows and accepts beyond its commands. */
export interface FaceDescription {
  readonly summary: string;
  /** Flags that every command of the face takes. */
  readonly globalFlags: Flags;
  /** Help pages list the global flags; otherwise the command `options` does. */
  readonly listsGlobalFlags?: boolean;
  /** Help pages have no description. */
  readonly helpIsUsage?: boolean;
  /** The command or group of etcdkit that the face stands for; undefined: it has many. */
  readonly root?: string;
  /** Command lines are read by Go's flag package, not by cobra. */
  readonly hasGoFlags?: boolean;
  /** Failures and notes are lines of Go's log package: the time before the text. */
  readonly logsLikeGo?: boolean;
  /** What cobra says of a bad command line also goes to stdout. */
  readonly repeatsErrors?: boolean;
}

export const FACES: Readonly<Record<Face, FaceDescription>> = {
  etcdkit: {
    summary: 'etcd, etcdctl and etcdutl in one program.',
    globalFlags: GLOBAL_FLAGS,
  },
  etcdctl: {
    summary: 'A simple command line client for etcd3.',
    globalFlags: GLOBAL_FLAGS,
  },
  etcdutl: {
    summary: 'An administrative command line tool for etcd3.',
    globalFlags: UTILITY_GLOBAL_FLAGS,
    listsGlobalFlags: true,
    helpIsUsage: true,
  },
  'etcd-dump-logs': {
    summary: 'Prints the entries of a write-ahead log.',
    globalFlags: DUMP_LOGS_GLOBAL_FLAGS,
    listsGlobalFlags: true,
    root: 'dump-logs',
    hasGoFlags: true,
    logsLikeGo: true,
  },
  'etcd-dump-db': {
    summary: 'etcd-dump-db inspects etcd db files.',
    globalFlags: DUMP_DB_GLOBAL_FLAGS,
    listsGlobalFlags: true,
    root: 'dump-db',
    logsLikeGo: true,
    repeatsErrors: true,
  },
};

/** Flags of `endpoint` that its subcommands inherit. */
export const ENDPOINT_FLAGS = {
  cluster: boolFlag('use all endpoints from the cluster member list', { inherited: true }),
};

const maintenance = 'Cluster maintenance commands';
const authentication = 'Authentication commands';

/** The grouping commands by name. A face shows those of which it has a subcommand. */
export const GROUPS: Readonly<Record<string, GroupCommand>> = {
  alarm: { summary: 'Alarm related commands', usage: 'alarm <subcommand>', section: maintenance },
  auth: {
    summary: 'Enable or disable authentication',
    usage: 'auth <enable or disable>',
    section: authentication,
  },
  cert: {
    summary: 'Certificate related commands',
    usage: 'cert <subcommand>',
    section: 'Utility commands',
  },
  check: {
    summary: 'commands for checking properties of the etcd cluster',
    usage: 'check <subcommand>',
    section: 'Utility commands',
  },
  data: {
    summary: 'Tells what the keys are made of',
    usage: 'data <subcommand>',
    section: 'Utility commands',
  },
  db: {
    summary: 'Database file related commands',
    usage: 'db <subcommand>',
    section: 'Utility commands',
  },
  'dump-db': {
    summary: 'Inspects the contents of database files',
    usage: 'dump-db <subcommand>',
    section: 'Utility commands',
  },
  downgrade: {
    summary: 'Downgrade related commands',
    usage: 'downgrade <subcommand>',
    section: maintenance,
  },
  endpoint: {
    summary: 'Endpoint related commands',
    usage: 'endpoint <subcommand>',
    section: maintenance,
    flags: ENDPOINT_FLAGS,
  },
  lease: {
    summary: 'Lease related commands',
    usage: 'lease <subcommand>',
    section: 'Key-value commands',
  },
  member: {
    summary: 'Membership related commands',
    usage: 'member <subcommand>',
    section: maintenance,
  },
  role: { summary: 'Role related commands', usage: 'role <subcommand>', section: authentication },
  snapshot: {
    summary: 'Manages etcd node snapshots',
    usage: 'snapshot <subcommand>',
    section: maintenance,
  },
  user: { summary: 'User related commands', usage: 'user <subcommand>', section: authentication },
  wal: {
    summary: 'Write-ahead log related commands',
    usage: 'wal <subcommand>',
    section: 'Utility commands',
  },
};
