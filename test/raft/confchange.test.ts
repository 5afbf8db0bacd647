import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/proto/decode-error.js';
import { type ChangedConfig, ConfChanger } from '../../src/raft/confchange/changer.js';
import { decodeConfChange, encodeConfChange } from '../../src/raft/confchange/codec.js';
import {
  type AnyConfChange,
  asConfChangeV2,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  confChangeText,
  entersJoint,
  leavesJoint,
} from '../../src/raft/confchange/conf-change.js';
import { restoreTracker } from '../../src/raft/confchange/restore.js';
import { ConfChangeError } from '../../src/raft/errors.js';
import { configText, ProgressTracker } from '../../src/raft/tracker/tracker.js';
import { EntryType, idText } from '../../src/raft/types.js';
import { sharedPath } from '../support/shared.js';
import { parseTokens } from './support/conf-change-tokens.js';
import { asOutput, type Case, parseCases } from './support/datadriven.js';

const folder = sharedPath('raft-testdata', 'confchange');

function change(tracker: ProgressTracker, lastIndex: number, step: Case): ChangedConfig {
  const changer = new ConfChanger(tracker, lastIndex);
  const changes = parseTokens(step.input);
  if (step.command === 'simple') return changer.simple(changes);
  if (step.command === 'enter-joint') {
    const autoLeave = step.args.find(({ key }) => key === 'autoleave')?.values[0] === 'true';
    return changer.enterJoint(autoLeave, changes);
  }
  if (step.command !== 'leave-joint') throw new Error('unknown command');
  if (changes.length > 0) throw new Error('this command takes no input');
  return changer.leaveJoint();
}

function run(tracker: ProgressTracker, lastIndex: number, step: Case): string {
  let changed: ChangedConfig;
  try {
    changed = change(tracker, lastIndex, step);
  } catch (error) {
    if (!(error instanceof ConfChangeError)) throw error;
    return error.message;
  }
  tracker.switchTo(changed.config, changed.progress);
  const lines = tracker.ordered.map(([id, progress]) => `${idText(id)}: ${progress}\n`);
  return `${configText(tracker.config)}\n${lines.join('')}`;
}

describe.skipIf(folder === undefined)("configuration changes of etcd's Raft library", () => {
  it.each(folder === undefined ? [] : readdirSync(folder))('%s', (file) => {
    const tracker = new ProgressTracker(10, Number.POSITIVE_INFINITY);
    const cases = parseCases(readFileSync(join(folder ?? '', file), 'utf8'));
    for (const [lastIndex, step] of cases.entries()) {
      const actual = asOutput(run(tracker, lastIndex, step));
      expect(actual, `${file}:${step.line} ${step.command}`).toBe(step.expected);
    }
  });
});

const arbitraryChange: fc.Arbitrary<ConfChangeSingle> = fc.record({
  type: fc.constantFrom(...Object.values(ConfChangeType)),
  nodeId: fc.bigInt({ min: 1n, max: 6n }),
});

describe('a configuration that changes lead to', () => {
  it('is the same when it is restored from its ConfState', () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom('simple', 'enter', 'leave'),
        autoLeave: fc.boolean(),
        changes: fc.array(arbitraryChange, { maxLength: 4 }),
      }),
      { maxLength: 15 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        const tracker = new ProgressTracker(10, Number.POSITIVE_INFINITY);
        for (const { kind, autoLeave, changes } of sequence) {
          const changer = new ConfChanger(tracker, 10);
          try {
            let changed: ChangedConfig;
            if (kind === 'simple') changed = changer.simple(changes);
            else if (kind === 'enter') changed = changer.enterJoint(autoLeave, changes);
            else changed = changer.leaveJoint();
            tracker.switchTo(changed.config, changed.progress);
          } catch (error) {
            if (!(error instanceof ConfChangeError)) throw error;
          }
        }
        const restored = restoreTracker(tracker.confState(), 10, 10, Number.POSITIVE_INFINITY);
        expect(configText(restored.config)).toBe(configText(tracker.config));
        expect([...restored.progress.keys()].sort()).toEqual([...tracker.progress.keys()].sort());
      }),
      { numRuns: 300 },
    );
  });

  it('leaves the tracker alone until it is switched to', () => {
    const tracker = restoreTracker(
      { voters: [1n, 2n], learners: [3n], votersOutgoing: [], learnersNext: [], autoLeave: false },
      10,
      10,
      Number.POSITIVE_INFINITY,
    );
    const before = configText(tracker.config);
    new ConfChanger(tracker, 10).simple([{ type: ConfChangeType.AddNode, nodeId: 3n }]);
    expect(configText(tracker.config)).toBe(before);
    expect(tracker.get(3n)?.isLearner).toBe(true);
  });
});

describe('the payload of a change', () => {
  const context = Buffer.from('{"id":16171062650796906256}');
  const id = 0xffff_ffff_ffff_fffdn;

  it('survives a round trip with all 64 bits of its ids', () => {
    const first: AnyConfChange = { id, type: ConfChangeType.RemoveNode, nodeId: id - 5n, context };
    const encoded = encodeConfChange(first);
    expect(encoded.type).toBe(EntryType.ConfChange);
    expect(decodeConfChange(encoded)).toEqual(first);
    const second: AnyConfChange = {
      transition: ConfChangeTransition.JointExplicit,
      changes: [
        { type: ConfChangeType.AddLearnerNode, nodeId: id },
        { type: ConfChangeType.UpdateNode, nodeId: 1n },
      ],
      context,
    };
    const encodedSecond = encodeConfChange(second);
    expect(encodedSecond.type).toBe(EntryType.ConfChangeV2);
    expect(decodeConfChange(encodedSecond)).toEqual(second);
  });

  it('is written as etcd 3.4 to 3.6 write it', () => {
    const { data } = encodeConfChange({
      id: 0n,
      type: ConfChangeType.AddNode,
      nodeId: 5n,
      context: Buffer.from('a'),
    });
    expect(data.toString('hex')).toBe('0800100018052201' + '61');
  });

  it('leaves the joint configuration if it is empty', () => {
    const change = asConfChangeV2(
      decodeConfChange({ type: EntryType.ConfChangeV2, data: Buffer.alloc(0) }),
    );
    expect(leavesJoint(change)).toBe(true);
    expect(entersJoint(change)).toBeUndefined();
  });

  it('is refused if it is malformed or of an unknown type', () => {
    const decode = (hex: string, type: EntryType) => () =>
      decodeConfChange({ type, data: Buffer.from(hex, 'hex') });
    expect(decode('08', EntryType.ConfChange)).toThrow(DecodeError);
    expect(decode('1009', EntryType.ConfChange)).toThrow('unexpected conf type 9');
    expect(decode('12020809', EntryType.ConfChangeV2)).toThrow('unexpected conf type 9');
    expect(decode('0803', EntryType.ConfChangeV2)).toThrow('unexpected conf change transition 3');
  });

  it('prints its context quoted', () => {
    const text = confChangeText({
      transition: ConfChangeTransition.JointImplicit,
      changes: [{ type: ConfChangeType.AddLearnerNode, nodeId: 3n }],
      context: Buffer.from('x"y'),
    });
    expect(text).toBe(
      'transition:ConfChangeTransitionJointImplicit ' +
        'changes:{type:ConfChangeAddLearnerNode node_id:3} context:"x\\"y"',
    );
  });
});
