/**
 * Text forms of Go's standard library that appear in etcd's logs, errors and command output
 * (reference: cli 1.3).
 */

const NANOS_PER_MICRO = 1_000n;
const NANOS_PER_MILLI = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

/**
 * A duration as Go prints it: `903.138µs`, `5.004930525s`, `1m0s`, `0s`.
 * A fraction of a nanosecond is cut off.
 */
export function formatGoDuration(nanoseconds: number | bigint): string {
  const signed = typeof nanoseconds === 'bigint' ? nanoseconds : BigInt(Math.trunc(nanoseconds));
  if (signed === 0n) return '0s';
  const sign = signed < 0n ? '-' : '';
  const total = signed < 0n ? -signed : signed;
  if (total < NANOS_PER_MICRO) return `${sign}${total}ns`;
  if (total < NANOS_PER_MILLI) return `${sign}${withFraction(total, NANOS_PER_MICRO)}µs`;
  if (total < NANOS_PER_SECOND) return `${sign}${withFraction(total, NANOS_PER_MILLI)}ms`;
  const seconds = `${withFraction(total % (60n * NANOS_PER_SECOND), NANOS_PER_SECOND)}s`;
  const minutes = total / (60n * NANOS_PER_SECOND);
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return hours === 0n
    ? `${sign}${minutes}m${seconds}`
    : `${sign}${hours}h${minutes % 60n}m${seconds}`;
}

/** A duration given in milliseconds as Go prints it. Microseconds and smaller are rounded. */
export function formatGoMillis(milliseconds: number): string {
  return formatGoDuration(Math.round(milliseconds * 1e6));
}

/** `value / unit` in decimal, with the trailing zeros of the fraction dropped. */
function withFraction(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return (value / unit).toString();
  const digits = rest.toString().padStart(unit.toString().length - 1, '0');
  return `${value / unit}.${digits.replace(/0+$/, '')}`;
}

const NANOS_PER_UNIT: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', NANOS_PER_MICRO],
  ['µs', NANOS_PER_MICRO],
  ['μs', NANOS_PER_MICRO],
  ['ms', NANOS_PER_MILLI],
  ['s', NANOS_PER_SECOND],
  ['m', 60n * NANOS_PER_SECOND],
  ['h', 3600n * NANOS_PER_SECOND],
]);

const INT64_LIMIT = 1n << 63n;

/**
 * Reads `300ms`, `-1.5h`, `2h45m` or `0` as nanoseconds. Values beyond 2^53 lose their last digits.
 * @throws Error with Go's text: `time: invalid duration "x"`, `time: missing unit in duration "5"`,
 * `time: unknown unit "x" in duration "5x"`.
 */
export function parseGoDuration(text: string): number {
  const invalid = () => new Error(`time: invalid duration ${quoteDurationText(text)}`);
  const negative = text.startsWith('-');
  let rest = negative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return 0;
  if (rest === '') throw invalid();
  let total = 0n;
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const whole = number?.[1] ?? '';
    const fraction = number?.[2] ?? '';
    if (whole === '' && fraction === '') throw invalid();
    if (BigInt(whole === '' ? '0' : whole) > INT64_LIMIT) throw invalid();
    rest = rest.slice(number?.[0].length ?? 0);
    const unitText = /^[^\d.]*/.exec(rest)?.[0] ?? '';
    if (unitText === '') {
      throw new Error(`time: missing unit in duration ${quoteDurationText(text)}`);
    }
    const unit = NANOS_PER_UNIT.get(unitText);
    if (unit === undefined) {
      throw new Error(
        `time: unknown unit ${quoteDurationText(unitText)} in duration ${quoteDurationText(text)}`,
      );
    }
    rest = rest.slice(unitText.length);
    // Beyond 18 digits a fraction no longer counts, as in Go's 64-bit arithmetic.
    const digits = fraction.slice(0, 18);
    const part = digits === '' ? 0n : (BigInt(digits) * unit) / 10n ** BigInt(digits.length);
    total += BigInt(whole === '' ? '0' : whole) * unit + part;
    if (total > INT64_LIMIT) throw invalid();
  }
  if (!negative && total === INT64_LIMIT) throw invalid();
  return Number(negative ? -total : total);
}

/** Like {@link quoteGo}, but every byte outside ASCII is escaped, as package time does it. */
function quoteDurationText(text: string): string {
  let out = '"';
  for (const byte of Buffer.from(text)) {
    if (byte >= 0x80 || byte < 0x20) out += `\\x${hex(byte, 2)}`;
    else if (byte === 0x22 || byte === 0x5c) out += `\\${String.fromCharCode(byte)}`;
    else out += String.fromCharCode(byte);
  }
  return `${out}"`;
}

/** A number in Go's shortest form of `%g`, as metrics are written: `2.147483648e+09`, `6.4e-05`. */
export function formatGoFloat(value: number): string {
  if (value === 0) return '0';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(value);
  return value.toExponential().replace(/([+-])(\d)$/, '$10$2');
}

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/**
 * A size in powers of 1000: `20 kB`, `2.1 GB`.
 * Trap: the form without decimals rounds half to even: 20480 bytes are `20 kB`, where `toFixed(0)`
 * gives 21.
 */
export function humanizeBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const exponent = Math.min(Math.floor(Math.log(bytes) / Math.log(1000)), SIZE_UNITS.length - 1);
  const value = Math.floor((bytes / 1000 ** exponent) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundHalfToEven(value)} ${SIZE_UNITS[exponent]}`;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const NAMED_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x0c, '\\f'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x0b, '\\v'],
  [0x5c, '\\\\'],
  [0x22, '\\"'],
]);

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Text or bytes as Go's `%q` prints them, the quotes included. */
export function quoteGo(content: Uint8Array | string): string {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  let out = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = runeLength(bytes, at);
    if (length === 0) {
      out += `\\x${hex(bytes[at] ?? 0, 2)}`;
      at += 1;
      continue;
    }
    out += quoteRune(Buffer.from(bytes.subarray(at, at + length)).toString());
    at += length;
  }
  return `${out}"`;
}

function quoteRune(rune: string): string {
  const code = rune.codePointAt(0) ?? 0;
  const named = NAMED_ESCAPES.get(code);
  if (named !== undefined) return named;
  if (PRINTABLE.test(rune)) return rune;
  if (code < 0x80) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

/** Length in bytes of the UTF-8 sequence at `at`, 0 if it is not a valid one. */
function runeLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let offset = 2; offset < length; offset++) {
    if (((bytes[at + offset] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}
