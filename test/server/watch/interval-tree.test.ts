import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalTree, type KeyRange } from '../../../src/server/watch/interval-tree.js';

const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 3 });
const range = fc.record({ start: key, end: fc.option(key, { nil: undefined }) });

describe('IntervalTree', () => {
  it('finds what a linear search finds, while ranges come and go', () => {
    const step = fc.record({ range, removes: fc.nat(), isRemoval: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.array(key, { maxLength: 5 }),
        (steps, keys) => {
          const tree = new IntervalTree<KeyRange>();
          const model: KeyRange[] = [];
          for (const { range: candidate, removes, isRemoval } of steps) {
            if (isRemoval && model.length > 0) {
              const [removed] = model.splice(removes % model.length, 1);
              tree.remove(removed as KeyRange);
            } else if (!model.some((r) => r.start === candidate.start && r.end === candidate.end)) {
              const added = { ...candidate };
              tree.insert(added);
              model.push(added);
            }
          }
          for (const probe of keys) {
            const found = new Set<KeyRange>();
            tree.stab(probe, (value) => found.add(value));
            const expected = model.filter(
              ({ start, end }) => start <= probe && (end === undefined || probe < end),
            );
            expect(found).toEqual(new Set(expected));
          }
        },
      ),
    );
  });
});
