import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JointConfig } from '../../src/raft/quorum/joint.js';
import { MajorityConfig, VoteResult } from '../../src/raft/quorum/majority.js';
import { idText } from '../../src/raft/types.js';
import { sharedPath } from '../support/shared.js';
import { asOutput, type Case, parseCases } from './support/datadriven.js';

const folder = sharedPath('raft-testdata', 'quorum');

/** The ids of a `cfg` or `cfgj` argument; undefined if it is absent. */
function config(step: Case, key: string): bigint[] | undefined {
  const arg = step.args.find((candidate) => candidate.key === key);
  if (arg === undefined) return undefined;
  return arg.values[0] === 'zero' ? [] : arg.values.map(BigInt);
}

function inputs(step: Case, key: string): readonly string[] {
  return step.args.find((candidate) => candidate.key === key)?.values ?? [];
}

/** The table that precedes the result of `committed`. */
function describeIndexes(ids: readonly bigint[], acked: ReadonlyMap<bigint, number>): string {
  if (ids.length === 0) return '<empty majority quorum>';
  const rows = ids.map((id) => ({ id, index: acked.get(id), bar: 0 }));
  const ranked = [...rows].sort(
    (a, b) => (a.index ?? 0) - (b.index ?? 0) || (a.id < b.id ? -1 : 1),
  );
  let previous = ranked[0];
  for (const [position, row] of ranked.entries()) {
    const isLarger = (row.index ?? 0) > (previous?.index ?? 0);
    row.bar = isLarger ? position : (previous?.bar ?? 0);
    previous = row;
  }
  const width = ids.length;
  let text = `${' '.repeat(width)}    idx\n`;
  for (const { id, index, bar } of rows.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const graph =
      index === undefined
        ? `?${' '.repeat(width)}`
        : `${'x'.repeat(bar)}>${' '.repeat(width - bar)}`;
    text += `${graph} ${String(index ?? 0).padStart(5)}    (id=${idText(id)})\n`;
  }
  return text;
}

function run(step: Case): string {
  const incoming = config(step, 'cfg') ?? [];
  const outgoing = config(step, 'cfgj') ?? [];
  const ids = [...new Set([...incoming, ...outgoing])];
  const joint = new JointConfig(new MajorityConfig(incoming), new MajorityConfig(outgoing));
  const values = inputs(step, step.command === 'vote' ? 'votes' : 'idx');
  if (values.length !== ids.length) {
    const voters = `map[${[...ids].sort().map(String).join(' ')}]`;
    return `error: mismatched input (explicit or _) for voters ${voters}: ${values.join(' ')}`;
  }
  if (step.command === 'vote') {
    const votes = new Map(ids.map((id, position) => [id, values[position]]));
    const result = joint.voteResult((id) => {
      const vote = votes.get(id);
      return vote === undefined || vote === '_' ? undefined : vote === 'y';
    });
    return `Vote${Object.entries(VoteResult).find(([, value]) => value === result)?.[0]}`;
  }
  const acked = new Map<bigint, number>();
  for (const [position, id] of ids.entries()) {
    const value = values[position];
    if (value !== undefined && value !== '_') acked.set(id, Number(value));
  }
  const committed = joint.committedIndex((id) => acked.get(id));
  const text = Number.isFinite(committed) ? String(committed) : '∞';
  return describeIndexes(ids, acked) + text;
}

describe.skipIf(folder === undefined)("quorum cases of etcd's Raft library", () => {
  it.each(folder === undefined ? [] : readdirSync(folder))('%s', (file) => {
    for (const step of parseCases(readFileSync(join(folder ?? '', file), 'utf8'))) {
      expect(asOutput(run(step)), `${file}:${step.line}`).toBe(step.expected);
    }
  });
});

describe('joint quorums against brute force', () => {
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 7 });
  const majority = (members: readonly number[], holds: (id: number) => boolean): boolean =>
    members.length === 0 || members.filter(holds).length > members.length / 2;
  const asConfig = (members: readonly number[]): MajorityConfig =>
    new MajorityConfig(members.map(BigInt));

  it('commit the largest index that a majority of each half holds', () => {
    const indexes = fc.dictionary(
      fc.integer({ min: 1, max: 7 }).map(String),
      fc.integer({ min: 0, max: 20 }),
    );
    fc.assert(
      fc.property(ids, ids, indexes, (incoming, outgoing, acked) => {
        const held = (id: number): number => acked[String(id)] ?? 0;
        let best = Number.POSITIVE_INFINITY;
        if (incoming.length + outgoing.length > 0) {
          best = 20;
          const reached = (index: number): boolean =>
            majority(incoming, (id) => held(id) >= index) &&
            majority(outgoing, (id) => held(id) >= index);
          while (!reached(best)) best--;
        }
        const joint = new JointConfig(asConfig(incoming), asConfig(outgoing));
        expect(joint.committedIndex((id) => acked[String(id)])).toBe(best);
      }),
      { numRuns: 500 },
    );
  });

  it('decide a vote exactly when no missing vote could change it', () => {
    const votes = fc.dictionary(fc.integer({ min: 1, max: 7 }).map(String), fc.boolean());
    fc.assert(
      fc.property(ids, ids, votes, (incoming, outgoing, cast) => {
        const wins = (vote: (id: number) => boolean): boolean =>
          majority(incoming, vote) && majority(outgoing, vote);
        const allYes = wins((id) => cast[String(id)] ?? true);
        const allNo = wins((id) => cast[String(id)] ?? false);
        let expected: VoteResult = VoteResult.Pending;
        if (allNo) expected = VoteResult.Won;
        else if (!allYes) expected = VoteResult.Lost;
        const joint = new JointConfig(asConfig(incoming), asConfig(outgoing));
        expect(joint.voteResult((id) => cast[String(id)])).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});
