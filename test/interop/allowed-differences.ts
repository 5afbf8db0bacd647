import { DIAGNOSIS, statusTableRow, tableCells, withBoxes } from './old-layouts.js';
import type { Outcome } from './world.js';

/**
 * Where etcd 3.7, which we stand for, differs from etcd 3.4, which we compare with. A difference
 * that an invocation names must be seen there: one that is gone fails its test.
 */
export interface Difference {
  /** Why, with the place in the reference. */
  readonly because: string;
  /** Set if 3.7 differs from us alike. */
  readonly isOurOwn?: true;
  /** Makes of the oracle's outcome what is expected. */
  readonly oracle?: (outcome: Outcome) => Outcome;
  /** Leaves out of ours what is left out of the expectation. */
  readonly actual?: (outcome: Outcome) => Outcome;
}

type Edit = (text: string) => string;

const stdout =
  (edit: Edit) =>
  (outcome: Outcome): Outcome => ({ ...outcome, stdout: edit(outcome.stdout) });

const stderr =
  (edit: Edit) =>
  (outcome: Outcome): Outcome => ({ ...outcome, stderr: edit(outcome.stderr) });

const firstLine: Edit = (text) => text.slice(0, text.indexOf('\n') + 1);

const flagNames: Edit = (text) =>
  [...text.replace(/^global [\s\S]*/im, '').matchAll(/^ +(?:-\w, )?--([a-z-]+)/gm)]
    .map(([, name]) => name)
    .join();

// Our etcdctl: the frame

/** What counts is the line and the exit code. */
export const usageMoved: Difference = {
  because:
    'cli 1.1 and 8.3: after a parse error 3.4 prints its usage on stdout and the error twice; ' +
    '3.7 prints the error once, then usage in another layout, on stderr',
  oracle: (outcome) => ({ ...outcome, stdout: '', stderr: firstLine(outcome.stderr) }),
  actual: stderr(firstLine),
};

export const errorOnce: Difference = {
  because: 'cli 8.3: 3.4 and 3.5 print parse errors twice',
  oracle: stderr((text) => text.replace(/( for usage\.\n)[\s\S]*/, '$1')),
};

/** What counts are the names of the subcommands, the stream and the exit code. */
export const groupHelp: Difference = {
  because: 'cli 8.3: help pages have another layout since 3.7',
  oracle: stdout((text) => [...text.matchAll(/^\t([a-z-]+)\t/gm)].map(([, name]) => name).join()),
  actual: stdout((text) =>
    [...text.matchAll(/^ {2}([a-z][a-z-]*) +[A-Z]/gm)].map(([, name]) => name).join(),
  ),
};

/** What counts are the names of the command's own flags, the stream and the exit code. */
export const helpFlags: Difference = {
  because: groupHelp.because,
  oracle: stdout(flagNames),
  actual: stdout(flagNames),
};

export const rootHelp: Difference = {
  isOurOwn: true,
  because:
    'cli 8.3 and 9: the commands are in groups since 3.7, and no longer those of 3.4; some of ' +
    'etcdctl we have not',
  oracle: stdout(() => 'A simple command line client for etcd3.\n'),
  actual: stdout(firstLine),
};

export const brokenLayer: Difference = {
  isOurOwn: true,
  because: 'our own: a line on stderr names what is broken at an endpoint that fails',
  actual: stderr((text) => text.replace(DIAGNOSIS, '')),
};

// Our etcdctl: key-value commands

export const txnFieldNames: Difference = {
  because: 'cli 9: an operation in the JSON of a txn has its field name since 3.5',
  oracle: stdout((text) =>
    text
      .replaceAll('"ResponsePut"', '"response_put"')
      .replaceAll('"ResponseRange"', '"response_range"')
      .replaceAll('"ResponseDeleteRange"', '"response_delete_range"'),
  ),
};

export const singleQuotes: Difference = {
  because: 'cli 4.4: single quotes hold a text; 3.4 cuts it to its first letter',
  oracle: stdout((text) => text.replace('k\ns\n', 'k\nsingle quotes\n')),
};

export const leasePanics: Difference = {
  isOurOwn: true,
  because: 'cli 4.4: to compare a lease ends etcdctl with a Go panic; we compare it',
  oracle: () => ({ stdout: 'SUCCESS\n', stderr: '', exit: 0 }),
};

export const badOperatorPanics: Difference = {
  isOurOwn: true,
  because: 'cli 4.4: an unknown operator ends etcdctl with a Go panic; we report it',
  oracle: () => ({
    stdout: '',
    stderr: 'Error: malformed comparison: ver("k") >= "1" (unknown operator >=)\n',
    exit: 3,
  }),
};

export const rangeWarning: Difference = {
  because: 'cli 4.3: to delete a range takes --range or two seconds since 3.5, with a warning',
  oracle: stderr(
    () =>
      'Warning: Keys between "a1" and "b" will be deleted. Please interrupt the command within ' +
      'next 2 seconds to cancel. You can provide `--range` flag to avoid the delay.\n',
  ),
};

export const smallLetter: Difference = {
  because: 'cli 4.6: the message begins with a small letter since 3.5',
  oracle: stderr((text) => text.replace('Error reading', 'error reading')),
};

export const watchJson: Difference = {
  because: 'cli 3.2: in 3.7 the JSON of a watch has a reason, and null for no events',
  oracle: stdout((text) =>
    text
      .replaceAll('"Events":[]', '"Events":null')
      .replaceAll(/("Created":(?:true|false))\}/g, '$1,"CancelReason":""}'),
  ),
};

export const revokeAsProtobuf: Difference = {
  isOurOwn: true,
  because: 'our own: a revocation can be printed as protobuf; etcdctl refuses',
  oracle: (outcome) => ({ ...outcome, stdout: '', stderr: '', exit: 0 }),
  actual: stdout(() => ''),
};

// Our etcdctl: cluster commands

export const zeroRevision: Difference = {
  because: 'cli 3.3: a revision of zero is left out of the header since 3.6',
  oracle: stdout((text) => text.replaceAll('"Revision" : 0\n', '')),
};

export const boxDrawing: Difference = {
  because: 'cli 3.4: tables are drawn with box characters since 3.7',
  oracle: stdout((text) => Buffer.from(withBoxes(text)).toString('latin1')),
};

export const memberHex: Difference = {
  because: 'cli 3.2: --hex shows ids as hexadecimal texts in the JSON of member commands since 3.5',
  oracle: stdout((text) =>
    text.replace(
      /("(?:cluster_id|member_id|ID)":)(\d+)/g,
      (_, name, id) => `${name}"${BigInt(id).toString(16)}"`,
    ),
  ),
};

export const learnerSentence: Difference = {
  because: 'cli 5.1: that a member is added as a learner is told since 3.6',
  oracle: stdout((text) => text.replace(' added to cluster', ' added as learner to cluster')),
};

export const goodNewsOnStdout: Difference = {
  because: 'cli 5.2: healthy endpoints are told on stdout since 3.5',
  oracle: (outcome) => {
    const lines = outcome.stderr.split(/(?<=\n)/);
    const good = lines.filter((line) => line.includes(' is healthy: '));
    const bad = lines.filter((line) => !line.includes(' is healthy: '));
    return { ...outcome, stdout: good.join(''), stderr: bad.join('') };
  },
};

export const alarmsAreUnhealthy: Difference = {
  because: 'cli 5.2: an endpoint with an alarm is unhealthy since 3.5',
  oracle: () => ({
    stdout: '',
    stderr:
      '<endpoint> is unhealthy: failed to commit proposal: Active Alarm(s): NOSPACE \n' +
      'Error: unhealthy cluster\n',
    exit: 1,
  }),
};

export const sixteenColumns: Difference = {
  because: 'cli 5.3: sixteen columns of status since 3.6; a 3.4 server leaves the new ones empty',
  oracle: stdout(statusTableRow),
  actual: stdout((text) => text.replace(/\d+%/, '<percentage>')),
};

export const statusFields: Difference = {
  because: 'cli 3.3: lines of status that are new in 3.6',
  oracle: stdout((text) =>
    text
      .replace(/("Version" : .*\n)/, '$1"StorageVersion" : ""\n')
      .replace(/("DBSize" : .*\n)/, '$1"DBSizeInUse" : <size>\n"DBSizeQuota" : 0\n')
      .replace(/\n\n$/, '\n"DowngradeTargetVersion" : ""\n"DowngradeEnabled" : false\n\n'),
  ),
};

export const hashRevision: Difference = {
  because: 'cli 5.4: the revision of the hash is told since 3.6; a 3.4 server does not tell it',
  oracle: stdout((text) => text.replace(/\n$/, ', 0\n')),
};

export const hashRevisionField: Difference = {
  because: hashRevision.because,
  oracle: stdout((text) => text.replace(/\n\n$/, '\n"HashRevision" : 0\n\n')),
};

export const hashRevisionColumn: Difference = {
  because: `${hashRevision.because}; tables are drawn with box characters`,
  oracle: stdout((text) => {
    const [endpoint, hash, ...row] = tableCells(text);
    return [endpoint, hash, 'HASH REVISION', ...row, '0'].join();
  }),
  actual: stdout((text) => tableCells(text).join()),
};

export const defragTook: Difference = {
  because: 'cli 5.6: the time that a defragmentation took is told since 3.6',
  oracle: (outcome) => ({
    ...outcome,
    stdout: outcome.stdout.replaceAll(']\n', ']. took <duration>\n'),
    stderr: outcome.stderr.replaceAll('] (', ']. took <duration>. ('),
  }),
};

export const disarmPanics: Difference = {
  because: 'cli 5.5: to disarm no alarm with -w fields ends 3.4 with a Go panic',
  oracle: () => ({
    stdout: '"ClusterID" : 0\n"MemberID" : 0\n"RaftTerm" : 0\n',
    stderr: '',
    exit: 0,
  }),
};

export const alarmText: Difference = {
  because: 'cli 5.5: an alarm ended with a space before 3.7',
  oracle: stdout((text) => text.replaceAll(/(alarm:\w+) $/gm, '$1')),
};

// Our server

export const keysOnlyLease: Difference = {
  because: 'api 10.2 and 19: a range of keys only has no leases since 3.7',
  oracle: stdout((text) => text.replace(/,"lease":\d+/, '')),
};

export const alarmHeader: Difference = {
  because: 'api 19: the reply of the alarm service has a header since 3.5',
  actual: stdout((text) => text.replace(/"header":\{[^}]*\},?/, '')),
};

export const alarmTextInStatus: Difference = {
  because: 'api 16: an alarm ended with a space before 3.7',
  oracle: stdout((text) => text.replace(/(alarm:\w+) "/, '$1"')),
};

export const learnerStays: Difference = {
  because: 'raft-and-peers B6: to update a learner makes a voter of it in the lists of 3.4 alone',
  actual: stdout((text) => text.replace(',"isLearner":true', '')),
};

export const oneAlarmHeader: Difference = {
  because: alarmHeader.because,
  // The header is the first field; two bytes are its tag and its length.
  actual: stdout((text) => text.slice(2 + text.charCodeAt(1))),
};

// Users and roles

const rootSections: Edit = (text) =>
  text.replace(
    'KV Read:\nKV Write:\n',
    'KV Read:\n\t[, <open ended>\nKV Write:\n\t[, <open ended>\n',
  );

export const rootRoleText: Difference = {
  because: 'cli 7: the role root without permissions is shown as one for all keys since 3.5',
  oracle: stdout(rootSections),
};

export const rootRolePermission: Difference = {
  because:
    'semantics 7.1: the role root has a permission for all keys since 3.5; etcdctl of 3.4 takes ' +
    'an empty key for a prefix',
  oracle: stdout((text) =>
    rootSections(text)
      .replaceAll('<open ended>', '<open ended> (prefix )')
      .replace(/\}\}$/m, '},"perm":[{"permType":2,"range_end":"AA=="}]}'),
  ),
};

export const invalidRange: Difference = {
  because: 'semantics 7.2: a range whose end is not above its key is refused since 3.5',
  oracle: () => ({
    stdout: '',
    stderr: 'Error: etcdserver: invalid auth management\n',
    exit: 1,
  }),
};

export const leaseNeedsUser: Difference = {
  because: 'semantics 7.4: to grant a lease takes an identity; early releases ask for none',
  oracle: () => ({
    stdout: '',
    stderr: 'Error: failed to grant lease (etcdserver: user name is empty)\n',
    exit: 1,
  }),
};
