import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BboltError } from '../../../src/storage/bbolt/bbolt-error.js';
import { decodeLeaf } from '../../../src/storage/bbolt/leaf.js';
import { PackedLeaf } from '../../../src/storage/bbolt/open-leaf.js';

const SITE = { file: '/db', offset: 4096 };

function leafOf(keys: readonly Uint8Array[]): Buffer {
  const page = Buffer.alloc(4096);
  const leaf = new PackedLeaf();
  for (const key of keys) leaf.add({ key, value: Buffer.from('v'), isBucket: false });
  leaf.encode(page, 0, { id: 1, overflow: 0 });
  return page;
}

describe('a leaf', () => {
  it('is accepted only if its keys ascend as bytes, however much they have in common', () => {
    const shared = fc.integer({ min: 0, max: 80 }).map((length) => Buffer.alloc(length, 0x61));
    const tail = fc.uint8Array({ maxLength: 4 });
    fc.assert(
      fc.property(shared, tail, tail, (start, a, b) => {
        const [first, second] = [Buffer.concat([start, a]), Buffer.concat([start, b])];
        const page = leafOf([first, second]);
        if (first.compare(second) < 0) {
          expect(decodeLeaf(page, SITE).map(({ key }) => key)).toEqual([first, second]);
        } else {
          expect(() => decodeLeaf(page, SITE)).toThrow(BboltError);
          expect(() => decodeLeaf(page, SITE)).toThrow('leaf element 1 is out of order');
        }
      }),
      { numRuns: 1000 },
    );
  });
});
