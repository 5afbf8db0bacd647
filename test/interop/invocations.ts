/**
 * Command lines of etcdctl with what surrounds them. Each runs with one program against one server
 * and with another against a second server that has seen the same history, and the outcomes must be
 * equal, but for what an invocation lists in `differs`.
 */
export interface Invocation {
  /** Unique; the title of the test. */
  readonly name: string;
  /** Lines for etcdctl that prepare the empty keyspace. `{lease}` is the lease granted last. */
  readonly setup?: readonly (readonly string[])[];
  /** The command line. `{lease}` and `{rev}` (the revision after the setup) are filled in. */
  readonly argv: readonly string[];
  readonly stdin?: string;
  /** Variables beside PATH. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What varies from run to run, beside ids, addresses and log lines. */
  readonly varies?: readonly Variation[];
  /** How etcdctl 3.7 differs from the oracle, which is 3.4. */
  readonly differs?: Difference;
  /** Seconds after which the program is ended with SIGINT, for commands that do not end. */
  readonly interruptAfter?: number;
}

/** Parts of an output that no two runs share. */
export type Variation =
  | 'header-length'
  | 'server-version'
  | 'durations'
  | 'sizes'
  | 'raft-indexes'
  | 'hashes'
  | 'lease-ids'
  | 'ttl'
  | 'widths';

/** A documented difference: the oracle's output as it would be in 3.7. */
export interface Difference {
  /** Why, with the place in the reference. */
  readonly because: string;
  readonly stdout?: (stdout: string, stderr: string) => string;
  readonly stderr?: (stderr: string) => string;
}

/**
 * Parse errors: 3.4 prints its usage page on stdout and the error twice; 3.7 prints the error once,
 * then usage in another layout, on stderr. What counts is the line and the exit code.
 */
const usageMoved: Difference = {
  because: 'cli 1.1 and 8.3: layout and stream of the usage text',
  stdout: () => '',
  stderr: firstLine,
};

/** An operation in a txn's JSON has its field name since 3.5, its Go name before. */
const txnFieldNames: Difference = {
  because: 'cli 9: JSON keys of txn operations',
  stdout: (text) =>
    text
      .replaceAll('"ResponsePut"', '"response_put"')
      .replaceAll('"ResponseRange"', '"response_range"')
      .replaceAll('"ResponseDeleteRange"', '"response_delete_range"'),
};

/** `"Revision" : 0` is left out since 3.6. */
const zeroRevision: Difference = {
  because: 'cli 3.3: a zero revision is left out of the header',
  stdout: (text) => text.replaceAll('"Revision" : 0\n', ''),
};

const asciiTable: Difference = {
  because: 'cli 3.4: tables are drawn with box characters since 3.7',
  stdout: (text) => Buffer.from(boxDrawing(text)).toString('latin1'),
};

export const INVOCATIONS: readonly Invocation[] = [
  // put
  { name: 'put', argv: ['put', 'k', 'v'] },
  { name: 'put an empty value', argv: ['put', 'k', ''] },
  { name: 'put from stdin keeps the newline', argv: ['put', 'k', '-w', 'json'], stdin: 'v\n' },
  { name: 'put with empty stdin', argv: ['put', 'k'], stdin: '' },
  { name: 'put without arguments', argv: ['put'] },
  {
    name: 'put --prev-kv',
    setup: [['put', 'k', 'old']],
    argv: ['put', 'k', 'new', '--prev-kv'],
  },
  {
    name: 'put --prev-kv -w json',
    setup: [['put', 'k', 'old']],
    argv: ['put', '--prev-kv', '-w=json', 'k', 'new'],
  },
  {
    name: 'put --prev-kv -w fields',
    setup: [['put', 'k', 'old']],
    argv: ['-wfields', 'put', '--prev-kv=true', 'k', 'new'],
  },
  { name: 'put a value that looks like a flag', argv: ['put', 'k', '--', '-v'] },
  { name: 'put takes -v as a flag', argv: ['put', 'k', '-v'], differs: usageMoved },
  { name: 'put -w table writes, then fails', argv: ['put', 'k', 'v', '-w', 'table'] },
  { name: 'put in an unknown format', argv: ['put', 'k', 'v', '-w', 'xml'] },
  { name: 'put with a bad lease', argv: ['put', 'k', 'v', '--lease', 'zz'] },
  { name: 'put with a missing lease', argv: ['put', 'k', 'v', '--lease', '1'] },
  { name: 'put --ignore-value with a value', argv: ['put', 'k', 'v', '--ignore-value'] },
  { name: 'put --ignore-value of no key', argv: ['put', 'k', '--ignore-value'] },
  // get
  { name: 'get nothing', argv: ['get', 'k'] },
  { name: 'get nothing as json', argv: ['get', 'k', '-w', 'json'] },
  { name: 'get without arguments', argv: ['get'] },
  { name: 'get an empty key', argv: ['get', ''] },
  {
    name: 'get --prefix --hex',
    setup: [
      ['put', 'a1', 'x'],
      ['put', 'a2', '<&>'],
      ['put', 'b', 'z'],
    ],
    argv: ['get', '--prefix', 'a', '--hex'],
  },
  {
    name: 'get --prefix -w json',
    setup: [
      ['put', 'a1', 'x'],
      ['put', 'a2', '<&>'],
    ],
    argv: ['get', 'a', '-w', 'json', '--prefix'],
  },
  {
    name: 'get --prefix -w protobuf',
    setup: [['put', 'a1', 'x']],
    argv: ['get', 'a', '-w', 'protobuf', '--prefix'],
    varies: ['header-length'],
  },
  {
    name: 'get everything in falling order',
    setup: [
      ['put', 'a', '3'],
      ['put', 'b', '1'],
      ['put', 'c', '2'],
    ],
    argv: ['get', '', '--from-key', '--order=descend', '--sort-by=value', '--limit=2'],
  },
  {
    name: 'get a range, keys only',
    setup: [
      ['put', 'a', '1'],
      ['put', 'b', '2'],
      ['put', 'c', '3'],
    ],
    argv: ['get', 'a', 'c', '--keys-only'],
  },
  {
    name: 'get --print-value-only',
    setup: [['put', 'a', '1']],
    argv: ['get', 'a', '--print-value-only'],
  },
  {
    name: 'get --print-value-only as json',
    setup: [['put', 'a', '1']],
    argv: ['get', 'a', '--print-value-only', '-w', 'json'],
  },
  {
    name: 'get -w fields',
    setup: [['put', 'a', 'tab\there']],
    argv: ['get', 'a', '-w', 'fields'],
  },
  { name: 'get --prefix --from-key', argv: ['get', 'k', '--prefix', '--from-key'] },
  { name: 'get two keys with --prefix', argv: ['get', 'k', 'l', '--prefix'] },
  { name: 'get in a bad order', argv: ['get', 'k', '--order', 'up'] },
  { name: 'get by a bad target', argv: ['get', 'k', '--sort-by', 'age'] },
  { name: 'get with a bad consistency', argv: ['get', 'k', '--consistency', 'x'] },
  { name: 'get at a future revision', argv: ['get', 'k', '--rev', '1000000'] },
  { name: 'get with a bad revision', argv: ['get', 'k', '--rev', 'x'], differs: usageMoved },
  { name: 'get with a bad bool', argv: ['get', 'k', '--hex=maybe'], differs: usageMoved },
  {
    name: 'get with a duration without unit',
    argv: ['get', 'k', '--command-timeout', '5'],
    differs: usageMoved,
  },
  { name: 'get with an unknown flag', argv: ['get', 'k', '--bogus'], differs: usageMoved },
  { name: 'get with an unknown short flag', argv: ['get', 'k', '-xy'], differs: usageMoved },
  { name: 'get with a flag without value', argv: ['get', 'k', '--rev'], differs: usageMoved },
  { name: 'a bad flag', argv: ['get', 'k', '--=x'], differs: usageMoved },
  // del
  {
    name: 'del --prefix --prev-kv',
    setup: [
      ['put', 'a1', 'x'],
      ['put', 'a2', 'y'],
    ],
    argv: ['del', 'a', '--prefix', '--prev-kv'],
  },
  { name: 'del nothing', argv: ['del', 'k'] },
  { name: 'del with three arguments', argv: ['del', 'a', 'b', 'c'] },
  { name: 'del -w json', setup: [['put', 'k', 'v']], argv: ['del', 'k', '-w', 'json'] },
  // txn
  {
    name: 'txn that succeeds',
    setup: [['put', 'k', 'v']],
    argv: ['txn'],
    stdin: 'val("k") = "v"\nver("k") > "0"\n\nput k2 "a b" --prev-kv\nget k\ndel k\n\n\n',
  },
  {
    name: 'txn -i that fails',
    argv: ['txn', '-i'],
    stdin: 'create("k") != "0"\n\n\nput k created\n\n',
  },
  {
    name: 'txn -w json',
    setup: [['put', 'k', 'v']],
    argv: ['txn', '-w', 'json'],
    stdin: 'mod(`k`) < "1000000"\n\nput k "double quotes"\nget k\ndel k2\n\n\n',
    differs: txnFieldNames,
  },
  {
    name: 'txn with single quotes',
    argv: ['txn'],
    stdin: "\nput k 'single quotes'\nget k\n\n\n",
    differs: {
      because: 'cli 4.4: single quotes hold a text; 3.4 cuts it to its first letter',
      stdout: (text) => text.replace('k\ns\n', 'k\nsingle quotes\n'),
    },
  },
  {
    name: 'txn -w fields',
    argv: ['txn', '-w', 'fields'],
    stdin: '\nput k v\n\n\n',
  },
  { name: 'txn without its last blank line', argv: ['txn'], stdin: '\nput k v\n\n' },
  { name: 'txn with a bad compare', argv: ['txn'], stdin: 'nonsense\n\n\n\n' },
  { name: 'txn with a half compare', argv: ['txn'], stdin: 'val("k") =\n\n\n\n' },
  { name: 'txn with a bad target', argv: ['txn'], stdin: 'size("k") = "1"\n\n\n\n' },
  { name: 'txn with a bad number', argv: ['txn'], stdin: 'ver("k") = "x"\n\n\n\n' },
  { name: 'txn with an unknown request', argv: ['txn'], stdin: '\nwatch k\n\n\n' },
  { name: 'txn with a lonely word', argv: ['txn'], stdin: '\nput\n\n\n' },
  { name: 'txn with a duplicate key', argv: ['txn'], stdin: '\nput k 1\nput k 2\n\n\n' },
  { name: 'txn with arguments', argv: ['txn', 'x'] },
  // compaction
  { name: 'compaction by its prefix', setup: [['put', 'k', 'v']], argv: ['compact', '{rev}'] },
  { name: 'compaction of the future', argv: ['compaction', '1000000'] },
  { name: 'compaction of no number', argv: ['compaction', 'x'] },
  { name: 'compaction without revision', argv: ['compaction'] },
  // watch
  {
    name: 'watch from a revision',
    setup: [
      ['put', 'w', '1'],
      ['put', 'w', '2'],
      ['del', 'w'],
    ],
    argv: ['watch', 'w', '--rev', '{rev}', '--prev-kv'],
    interruptAfter: 0.7,
  },
  {
    name: 'watch of compacted history',
    setup: [
      ['put', 'w', '1'],
      ['put', 'w', '2'],
      ['compaction', '{rev}'],
    ],
    argv: ['watch', 'w', '--rev', '1'],
  },
  { name: 'watch nothing', argv: ['watch'] },
  { name: 'watch with a separator only', argv: ['watch', 'k', '--'] },
  {
    name: 'watch with a range end but no key in the environment',
    argv: ['watch', 'k'],
    environment: { ETCDCTL_WATCH_RANGE_END: 'z' },
  },
  {
    name: 'watch with two keys',
    argv: ['watch', 'k'],
    environment: { ETCDCTL_WATCH_KEY: 'k' },
  },
  { name: 'watch a range and a prefix', argv: ['watch', 'k', 'l', '--prefix'] },
  {
    name: 'watch -i with bad lines',
    argv: ['watch', '-i'],
    stdin: '\nget k\nwatch\nwatch a b --prefix\n',
    differs: {
      because: 'cli 4.6: the message begins with a small letter since 3.5',
      stderr: (text) => text.replace('Error reading', 'error reading'),
    },
  },
  // lease
  { name: 'lease grant', argv: ['lease', 'grant', '60'], varies: ['lease-ids'] },
  {
    name: 'lease grant as json',
    argv: ['lease', 'grant', '60', '-w', 'json'],
    varies: ['lease-ids'],
  },
  { name: 'lease grant without ttl', argv: ['lease', 'grant'] },
  { name: 'lease grant of no number', argv: ['lease', 'grant', 'x'] },
  {
    name: 'lease timetolive --keys',
    setup: [
      ['lease', 'grant', '600'],
      ['put', 'k', 'v', '--lease', '{lease}'],
    ],
    argv: ['lease', 'timetolive', '{lease}', '--keys'],
    varies: ['ttl'],
  },
  {
    name: 'lease timetolive -w json',
    setup: [
      ['lease', 'grant', '600'],
      ['put', 'k', 'v', '--lease', '{lease}'],
    ],
    argv: ['lease', 'timetolive', '{lease}', '--keys', '-w', 'json'],
    varies: ['ttl'],
  },
  { name: 'lease timetolive of none', argv: ['lease', 'timetolive', '1'] },
  { name: 'lease list', setup: [['lease', 'grant', '600']], argv: ['lease', 'list'] },
  {
    name: 'lease list -w json',
    setup: [['lease', 'grant', '600']],
    argv: ['lease', 'list', '-w', 'json'],
  },
  {
    name: 'lease keep-alive --once',
    setup: [['lease', 'grant', '600']],
    argv: ['lease', 'keep-alive', '{lease}', '--once'],
  },
  { name: 'lease keep-alive of none', argv: ['lease', 'keep-alive', '1'] },
  { name: 'lease keep-alive --once of none', argv: ['lease', 'keep-alive', '1', '--once'] },
  {
    name: 'lease revoke',
    setup: [['lease', 'grant', '600']],
    argv: ['lease', 'revoke', '{lease}'],
  },
  { name: 'lease revoke of none', argv: ['lease', 'revoke', '1'] },
  { name: 'lease revoke of no id', argv: ['lease', 'revoke', 'zz'] },
  // cluster
  {
    name: 'endpoint health',
    argv: ['endpoint', 'health'],
    varies: ['durations'],
    differs: {
      because: 'cli 5.2: the good news stand on stdout since 3.5',
      stdout: (_stdout, stderr) => stderr,
      stderr: () => '',
    },
  },
  {
    name: 'endpoint health --cluster -w json',
    argv: ['endpoint', '--cluster', 'health', '-w', 'json'],
    varies: ['durations'],
  },
  {
    name: 'endpoint status -w json',
    argv: ['endpoint', 'status', '-w', 'json'],
    varies: ['raft-indexes', 'server-version', 'sizes'],
  },
  {
    name: 'endpoint hashkv -w json',
    argv: ['endpoint', 'hashkv', '-w', 'json'],
    varies: ['hashes'],
  },
  {
    name: 'endpoint hashkv',
    argv: ['endpoint', 'hashkv'],
    varies: ['hashes'],
    differs: {
      because: 'cli 5.4: the revision of the hash is a third column since 3.6',
      // A 3.4 server does not tell it.
      stdout: (text) => text.replace(/\n$/, ', 0\n'),
    },
  },
  {
    name: 'endpoint hashkv -w table',
    argv: ['endpoint', 'hashkv', '-w', 'table'],
    varies: ['hashes', 'widths'],
    differs: {
      because: 'cli 3.4 and 5.4: box characters and a third column',
      stdout: () => '',
    },
  },
  { name: 'member list', argv: ['member', 'list'] },
  { name: 'member list -w json', argv: ['member', 'list', '-w', 'json'] },
  {
    name: 'member list -w fields',
    argv: ['member', 'list', '-w', 'fields'],
    differs: zeroRevision,
  },
  {
    name: 'member list -w table',
    argv: ['member', 'list', '-w', 'table'],
    varies: ['widths'],
    differs: asciiTable,
  },
  { name: 'alarm list', argv: ['alarm', 'list'] },
  { name: 'alarm list with arguments', argv: ['alarm', 'list', 'x'] },
  { name: 'alarm disarm -w json', argv: ['alarm', 'disarm', '-w', 'json'] },
  {
    name: 'defrag',
    argv: ['defrag'],
    varies: ['durations'],
    differs: {
      because: 'cli 5.6: the time it took is told since 3.6',
      stdout: (text) => text.replace(']\n', ']. took <duration>\n'),
    },
  },
  // the frame
  { name: 'an unknown command', argv: ['bogus'], differs: errorOnce() },
  { name: 'a mistyped command', argv: ['gett'], differs: errorOnce() },
  { name: 'empty certificate', argv: ['get', 'k', '--cert='] },
  { name: 'certificate without key', argv: ['get', 'k', '--cert', 'c.pem'] },
  { name: 'no such authority', argv: ['get', 'k', '--cacert', '/nonexistent/ca.pem'] },
  { name: 'no endpoints', argv: ['get', 'k', '--endpoints='] },
  {
    name: 'a flag and its variable',
    argv: ['get', 'k', '--hex'],
    environment: { ETCDCTL_HEX: 'true' },
    differs: {
      because: 'cli 2.2: 3.4 logs the conflict as plain text',
      stderr: () => '',
    },
  },
  {
    name: 'a variable that does not parse',
    setup: [['put', 'k', 'v']],
    argv: ['get', 'k'],
    environment: { ETCDCTL_HEX: 'maybe' },
  },
  {
    name: 'a variable that sets a flag',
    setup: [['put', 'k', 'v']],
    argv: ['get', 'k'],
    environment: { ETCDCTL_WRITE_OUT: 'json' },
  },
];

/** 3.4 prints what the parser found wrong twice. */
function errorOnce(): Difference {
  return {
    because: 'cli 8.3: 3.4 and 3.5 print parse errors twice',
    stderr: (text) => text.replace(/( for usage\.\n)[\s\S]*/, '$1'),
  };
}

function firstLine(text: string): string {
  return text.slice(0, text.indexOf('\n') + 1);
}

/** An ASCII table with the characters of 3.7. */
export function boxDrawing(table: string): string {
  const rules: readonly [string, string, string][] = [
    ['┌', '┬', '┐'],
    ['├', '┼', '┤'],
    ['└', '┴', '┘'],
  ];
  let rule = 0;
  return table
    .split('\n')
    .map((line) => {
      if (!line.startsWith('+')) return line.replaceAll('|', '│');
      const [left, middle, right] = rules[rule++] ?? ['', '', ''];
      return line
        .slice(1, -1)
        .replaceAll('-', '─')
        .replaceAll('+', middle)
        .replace(/^/, left)
        .concat(right);
    })
    .join('\n');
}
