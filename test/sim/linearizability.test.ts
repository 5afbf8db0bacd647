import { describe, expect, it } from 'vitest';
import { type Call, isLinearizable, type SequentialModel } from './linearizability.js';

type RegisterCall =
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'read'; readonly value: number }
  | {
      readonly kind: 'swap';
      readonly from: number;
      readonly to: number;
      readonly succeeded: boolean;
    };

const register: SequentialModel<number, RegisterCall> = {
  initial: 0,
  step(state, call) {
    switch (call.kind) {
      case 'write':
        return call.value;
      case 'read':
        return call.value === state ? state : undefined;
      case 'swap':
        if ((state === call.from) !== call.succeeded) return undefined;
        return call.succeeded ? call.to : state;
    }
  },
  show: String,
};

const at = (start: number, end: number, content: RegisterCall): Call<RegisterCall> => ({
  start,
  end,
  content,
});
const write = (value: number): RegisterCall => ({ kind: 'write', value });
const read = (value: number): RegisterCall => ({ kind: 'read', value });
const swap = (from: number, to: number, succeeded: boolean): RegisterCall => ({
  kind: 'swap',
  from,
  to,
  succeeded,
});
const NEVER = Number.POSITIVE_INFINITY;

describe('a linearizable register', () => {
  const accepted: Record<string, readonly Call<RegisterCall>[]> = {
    'nothing at all': [],
    'one after the other': [at(0, 1, write(1)), at(2, 3, read(1))],
    'a read beside a write sees the old value': [at(0, 3, write(1)), at(1, 2, read(0))],
    'a read beside a write sees the new value': [at(0, 3, write(1)), at(1, 2, read(1))],
    'two reads beside a write see first the old, then the new value': [
      at(0, 9, write(1)),
      at(1, 2, read(0)),
      at(3, 4, read(1)),
    ],
    'writes side by side in either order': [
      at(0, 9, write(1)),
      at(0, 9, write(2)),
      at(10, 11, read(1)),
    ],
    'what was not answered happens late': [
      at(0, NEVER, write(1)),
      at(1, 2, read(0)),
      at(3, 4, read(1)),
    ],
    'what was not answered never happens': [at(0, NEVER, write(1)), at(1, 2, read(0))],
    'one of two swaps side by side succeeds': [
      at(0, 9, swap(0, 1, true)),
      at(0, 9, swap(0, 2, false)),
      at(10, 11, read(1)),
    ],
  };
  it.each(Object.entries(accepted))('accepts: %s', (_, calls) => {
    expect(isLinearizable(calls, register)).toBe(true);
  });

  const refused: Record<string, readonly Call<RegisterCall>[]> = {
    'a stale read': [at(0, 1, write(1)), at(2, 3, read(0))],
    'a read of what nobody wrote': [at(0, 1, write(1)), at(2, 3, read(7))],
    'a new value, then the old one': [at(0, 9, write(1)), at(1, 2, read(1)), at(3, 4, read(0))],
    'a read of what is written later': [at(0, 1, read(1)), at(2, 3, write(1))],
    'a lost write': [at(0, 1, write(1)), at(2, 3, write(2)), at(4, 5, read(1))],
    'what was not answered happens twice': [
      at(0, NEVER, write(1)),
      at(1, 2, read(1)),
      at(3, 4, write(2)),
      at(5, 6, read(1)),
    ],
    'two swaps from the same value': [at(0, 9, swap(0, 1, true)), at(0, 9, swap(0, 2, true))],
    'a swap that should have succeeded': [at(0, 1, swap(0, 1, false))],
  };
  it.each(Object.entries(refused))('refuses: %s', (_, calls) => {
    expect(isLinearizable(calls, register)).toBe(false);
  });
});
