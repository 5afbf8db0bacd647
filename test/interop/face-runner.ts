import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { Invocation, Variation } from './invocations.js';

/** A program that takes etcdctl's command lines. */
export interface Program {
  readonly command: string;
  readonly leading: readonly string[];
  /** Variables it needs to be an etcdctl of API 3. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A server that invocations run against, with the ids that its outputs carry. */
export interface Target {
  readonly endpoint: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Addresses that outputs may show, with what to show instead. */
  readonly addresses: readonly (readonly [string, string])[];
}

/** What a program did, with all that varies replaced by placeholders. Bytes as Latin-1. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | NodeJS.Signals;
}

/** The real etcdctl. */
export const ORACLE: Program = {
  command: '/usr/bin/etcdctl',
  leading: [],
  environment: { ETCDCTL_API: '3' },
};

const LIMIT_MILLIS = 20_000;
const STEP_ENVIRONMENT = { PATH: process.env.PATH ?? '', ...ORACLE.environment };

/** Runs etcdctl for a setup step and returns its stdout. The server may live in this process. */
async function step(endpoint: string, argv: readonly string[]): Promise<string> {
  const words = [`--endpoints=${endpoint}`, ...argv];
  return (await promisify(execFile)(ORACLE.command, words, { env: STEP_ENVIRONMENT })).stdout;
}

/** Reads the ids of a server with one member. */
export async function describeTarget(endpoint: string): Promise<Target> {
  const json = await step(endpoint, ['member', 'list', '-w', 'json']);
  const text = (name: string) => new RegExp(`"${name}":\\["([^"]*)"\\]`).exec(json)?.[1] ?? '';
  const id = (name: string) => BigInt(new RegExp(`"${name}":(\\d+)`).exec(json)?.[1] ?? 0);
  return {
    endpoint,
    clusterId: id('cluster_id'),
    memberId: id('member_id'),
    addresses: [
      [text('peerURLs'), '<peer-url>'],
      [text('clientURLs'), '<client-url>'],
      [endpoint, '<endpoint>'],
    ],
  };
}

/** Empties the server, prepares it as the invocation wants, runs the program, and cleans the outcome. */
export async function runInvocation(
  program: Program,
  target: Target,
  invocation: Invocation,
): Promise<Outcome> {
  const { endpoint } = target;
  await step(endpoint, ['del', '--from-key', '']);
  const leases = (await step(endpoint, ['lease', 'list'])).split('\n').slice(1).filter(Boolean);
  for (const lease of leases) await step(endpoint, ['lease', 'revoke', lease]);
  let lease = '';
  const fill = async (words: readonly string[]) => {
    const needed = words.includes('{rev}');
    const json = needed ? await step(endpoint, ['get', 'x', '-w', 'json']) : '';
    const revision = /"revision":(\d+)/.exec(json)?.[1] ?? '0';
    return words.map((word) => word.replace('{lease}', lease).replace('{rev}', revision));
  };
  for (const words of invocation.setup ?? []) {
    const output = await step(endpoint, await fill(words));
    lease = /^lease ([0-9a-f]{16}) granted/.exec(output)?.[1] ?? lease;
  }
  const raw = await start(program, endpoint, invocation, await fill(invocation.argv));
  return clean(raw, target, invocation, lease);
}

function start(
  program: Program,
  endpoint: string,
  invocation: Invocation,
  argv: readonly string[],
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // Given as a flag, an endpoint of the invocation's own replaces none of it.
    const endpoints = argv.some((word) => word.startsWith('--endpoints'))
      ? []
      : [`--endpoints=${endpoint}`];
    const child = spawn(program.command, [...program.leading, ...endpoints, ...argv], {
      env: { PATH: process.env.PATH ?? '', ...program.environment, ...invocation.environment },
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => {
      output.stdout += chunk.toString('latin1');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output.stderr += chunk.toString('latin1');
    });
    const timers = [setTimeout(() => child.kill('SIGKILL'), LIMIT_MILLIS)];
    if (invocation.interruptAfter !== undefined) {
      timers.push(setTimeout(() => child.kill('SIGINT'), invocation.interruptAfter * 1000));
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      resolve({ ...output, exitCode: code ?? signal ?? -1 });
    });
    // A program that does not read its stdin may be gone before all of it is written.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(invocation.stdin ?? '');
  });
}

/** How each variation is replaced. */
const VARIATIONS: Readonly<Record<Variation, (text: string) => string>> = {
  // The ids of a protobuf header are of varying length.
  'header-length': (text) => text.replace(/^\n[\s\S]/, '\n<length>'),
  durations: (text) =>
    text.replace(/(took(?:"?:"?| =)? ?"?)[\d.]+(?:µs|Âµs|ms|s|m)+/g, '$1<duration>'),
  sizes: (text) => text.replace(/("dbSize(?:InUse)?":)\d+/g, '$1<size>'),
  'raft-indexes': (text) => text.replace(/("raft(?:Applied)?Index":)\d+/g, '$1<index>'),
  'server-version': (text) => text.replace(/("version":)"3[\d.]+"/g, '$1<version>'),
  hashes: (text) => text.replace(/([,|] )\d{5,}/g, '$1<hash>').replace(/("hash":)\d+/g, '$1<hash>'),
  'lease-ids': (text) =>
    text.replace(/lease [0-9a-f]{16}/g, 'lease <id>').replace(/("ID":)\d+/g, '$1<id>'),
  // One id in sixteen is a digit shorter. The rule is a box character in UTF-8, read as Latin-1.
  widths: (text) =>
    text
      .replace(/-{2,}/g, '-')
      .replace(/(?:\xe2\x94\x80)+/g, '\xe2\x94\x80')
      .replace(/ {2,}/g, ' '),
  ttl: (text) =>
    text.replace(/remaining\(\d+s\)/g, 'remaining(<ttl>)').replace(/("ttl":)\d+/g, '$1<ttl>'),
};

function clean(raw: Outcome, target: Target, invocation: Invocation, lease: string): Outcome {
  const replacements: (readonly [string, string])[] = [
    ...target.addresses,
    [String(target.clusterId), '<cluster>'],
    [String(target.memberId), '<member>'],
    [target.memberId.toString(16), '<member>'],
    // The ids as the first two fields of a protobuf header.
    [varint(target.clusterId), '<cluster>'],
    [varint(target.memberId), '<member>'],
    ...(lease === ''
      ? []
      : ([
          [lease, '<lease>'],
          [String(BigInt(`0x${lease}`)), '<lease>'],
        ] as const)),
  ];
  const tidy = (text: string) => {
    let out = text;
    for (const [from, to] of replacements) if (from !== '') out = out.replaceAll(from, to);
    for (const name of invocation.varies ?? []) out = VARIATIONS[name](out);
    return out;
  };
  return {
    stdout: tidy(raw.stdout),
    stderr: tidy(withoutLogLines(raw.stderr)),
    exitCode: raw.exitCode,
  };
}

/** An id on the wire, as Latin-1. */
function varint(id: bigint): string {
  let out = '';
  for (let rest = id; ; rest >>= 7n) {
    if (rest < 0x80n) return out + String.fromCharCode(Number(rest));
    out += String.fromCharCode(Number(rest & 0x7fn) | 0x80);
  }
}

/** Log lines have times, addresses and file names of their own. */
function withoutLogLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\{"level":|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [A-Z] \| /.test(line))
    .join('\n');
}
