import { describe, expect, it } from 'vitest';
import { grantNote, prefixWarning } from '../../../src/cli/auth/grant-note.js';
import { permissionRange } from '../../../src/cli/auth/permission-range.js';

const NONE = { prefix: false, 'from-key': false };

describe('the note of a grant', () => {
  it.each([
    ['k', undefined, {}, 'Covers "k"\n'],
    ['a', 'c', {}, 'Covers ["a", "c")\n'],
    ['/app/', undefined, { prefix: true }, 'Covers ["/app/", "/app0") (prefix "/app/")\n'],
    ['x', undefined, { 'from-key': true }, 'Covers ["x", and all keys after it)\n'],
    ['', undefined, { prefix: true }, 'Covers all keys\n'],
    ['', undefined, {}, 'Covers "\\x00"\n'],
    ['\udcff', undefined, {}, 'Covers "\\xff"\n'],
  ])('of %j %j %j', (key, end, flags, text) => {
    expect(grantNote(permissionRange(key, end, { ...NONE, ...flags }))).toBe(text);
  });
});

describe('the warning about a prefix', () => {
  it.each(['', '/app/', 'users:', 'a.', 'x_', '\udcff'])('is not given for %j', (prefix) => {
    expect(prefixWarning(prefix)).toBeUndefined();
  });

  it.each([
    ['/app', '/app2', '/app/2', '/app/'],
    ['app', 'app2', 'app/2', 'app/'],
    ['users:7', 'users:72', 'users:7:2', 'users:7:'],
    ['straße', 'straße2', 'straße/2', 'straße/'],
  ])('for %j says what else it covers', (prefix, other, meant, better) => {
    expect(prefixWarning(prefix)).toBe(
      `Warning: the prefix has no separator at its end, so it covers "${other}" as well as "${meant}"; ` +
        `if only the latter is meant, revoke it and grant --prefix "${better}"\n`,
    );
  });
});
