import type { Variation } from './invocation.js';
import type { Outcome } from './world.js';

/** How each variation is replaced. */
const VARIATIONS: Readonly<Record<Variation, (text: string) => string>> = {
  // The sign for micro is two bytes in UTF-8, read as Latin-1.
  durations: (text) =>
    text.replace(/\b(?:\d+(?:\.\d+)?(?:\xc2\xb5s|ms|s|m))+(?=["\s|.]|$)/g, '<duration>'),
  sizes: (text) =>
    text
      .replace(/\b\d+%/g, '<percentage>')
      .replace(/("dbSize(?:InUse)?":)\d+/g, '$1<size>')
      .replace(/("DBSize(?:InUse)?" : )\d+/g, '$1<size>')
      .replace(/\d+(?:\.\d)? (?:[kM]?B)\b/g, '<size>'),
  'raft-indexes': (text) =>
    text
      .replace(/("raft(?:Applied)?Index":)\d+/g, '$1<index>')
      .replace(/("Raft(?:Applied)?Index" : )\d+/g, '$1<index>')
      .replace(/, \d+, \d+, (?=(?:, |$))/gm, ', <index>, <index>, '),
  hashes: (text) =>
    text.replace(/("?hash"?"? ?:? ?)\d+/gi, '$1<hash>').replace(/, \d{5,}/g, ', <hash>'),
  'lease-ids': (text) =>
    text.replace(/lease [0-9a-f]{16}/g, 'lease <id>').replace(/("ID"(?: : |:))\d+/g, '$1<id>'),
  'member-ids': (text) =>
    membersInOrder(
      text
        .replace(/Member +[0-9a-f]{13,16}/g, 'Member <id>')
        .replace(/^[0-9a-f]{13,16}, /gm, '<id>, ')
        .replace(/("ID":)\d+/g, '$1<id>'),
    ),
  revisions: (text) => text.replace(/("(?:\w+_)?revision":)\d+/g, '$1<revision>'),
  ttl: (text) =>
    text
      .replace(/remaining\(\d+s\)/g, 'remaining(<ttl>)')
      .replace(/("ttl"(?: : |:))\d+/gi, '$1<ttl>'),
  // A rule, the padding of a cell. Box characters are UTF-8 read as Latin-1.
  widths: (text) =>
    text
      .replace(/-{2,}/g, '-')
      .replace(/(?:\xe2\x94\x80)+/g, '\xe2\x94\x80')
      .replace(/ {2,}/g, ' '),
  order: (text) => text.split('\n').toSorted().join('\n'),
  // Arguments of the functions in the stack trace of a Go program.
  addresses: (text) => text.replace(/0x[0-9a-f]+\??/g, '<address>'),
  versions: (text) => text.replace(/\b3\.(?:4\.23|7\.\d|7|4)\b/g, '<version>'),
};

/**
 * Members are listed by their ids, and that of an added one comes from the second in which its server
 * was asked.
 */
function membersInOrder(text: string): string {
  const inJson = text.replace(
    /("members":\[)(.*)(\]\})/g,
    (_, start: string, list: string, end: string) =>
      `${start}${list
        .split(/(?<=\}),(?=\{)/)
        .toSorted()
        .join(',')}${end}`,
  );
  return inJson.startsWith('<id>, ') ? inJson.split('\n').toSorted().join('\n') : inJson;
}

/** Replaces what no two runs share. */
export function cleanOutcome(
  { stdout, stderr, exit }: Outcome,
  endpoint: string,
  varies: readonly Variation[],
): Outcome {
  const tidy = (text: string): string => {
    let out = text
      .replaceAll(endpoint, '<endpoint>')
      // By the hash of the program, Go's text of a message has one space or two between fields.
      .replace(/(memberID:\d+) {2}alarm/g, '$1 alarm');
    for (const name of varies) out = VARIATIONS[name](out);
    return out;
  };
  return { stdout: tidy(stdout), stderr: tidy(withoutLogLines(stderr)), exit };
}

/**
 * Log lines have times, addresses and file names of their own. The program `stty` that etcdctl runs
 * to turn the echo off complains where stdin is no terminal.
 */
function withoutLogLines(text: string): string {
  const noise = /^\{"level":|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [A-Z] \| |^stty: /;
  return text
    .split('\n')
    .filter((line) => !noise.test(line))
    .join('\n');
}
