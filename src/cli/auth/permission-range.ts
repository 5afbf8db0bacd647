import { FROM_KEY_END, prefixEnd } from '../../base/key-range.js';
import { Permission_Type } from '../../proto/gen/authpb/auth.js';
import { argumentBytes } from '../args/argument-bytes.js';
import { CommandFailure, ExitCode } from '../exit.js';
import type { KeyRange, RangeFlags } from '../kv/key-range.js';

const PERMISSION_TYPES: ReadonlyMap<string, Permission_Type> = new Map([
  ['READ', Permission_Type.READ],
  ['WRITE', Permission_Type.WRITE],
  ['READWRITE', Permission_Type.READWRITE],
]);

/**
 * `read`, `write` or `readwrite`, in whatever case.
 * @throws CommandFailure
 */
export function permissionType(text: string): Permission_Type {
  const type = PERMISSION_TYPES.get(text.toUpperCase());
  if (type === undefined) throw badArguments(`invalid permission type: ${text}`);
  return type;
}

/**
 * The range of a permission that is granted or revoked (reference: cli 7).
 *
 * Trap: no key is sent as a zero byte, and an end key beside it is ignored.
 * @throws CommandFailure
 */
export function permissionRange(key: string, end: string | undefined, flags: RangeFlags): KeyRange {
  if (key === '') {
    if (flags.prefix && flags['from-key']) throw bothFlags();
    const isOpen = flags.prefix || flags['from-key'];
    return { key: FROM_KEY_END, rangeEnd: isOpen ? FROM_KEY_END : Buffer.alloc(0) };
  }
  return { key: argumentBytes(key), rangeEnd: rangeEnd(argumentBytes(key), end, flags) };
}

function rangeEnd(key: Buffer, end: string | undefined, flags: RangeFlags): Buffer {
  if (end !== undefined) {
    if (flags.prefix) throw badArguments('unexpected endkey argument with --prefix flag');
    if (flags['from-key']) throw badArguments('unexpected endkey argument with --from-key flag');
    return argumentBytes(end);
  }
  if (flags.prefix && flags['from-key']) throw bothFlags();
  if (flags.prefix) return prefixEnd(key);
  return flags['from-key'] ? FROM_KEY_END : Buffer.alloc(0);
}

function bothFlags(): CommandFailure {
  return badArguments('--from-key and --prefix flags are mutually exclusive');
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
