const TRUE_TEXTS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_TEXTS = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A boolean as Go reads it, undefined if it is none. */
export function parseGoBool(text: string): boolean | undefined {
  if (TRUE_TEXTS.has(text)) return true;
  return FALSE_TEXTS.has(text) ? false : undefined;
}

/**
 * An integer as Go reads it with base 0: `0x`, `0o`, `0b`, a leading 0 for octal, underscores between
 * digits. Undefined if it is none.
 */
export function parseGoInteger(text: string, signed: boolean): bigint | undefined {
  const match = /^([+-]?)(0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|0[0-7_]*|[1-9][\d_]*)$/.exec(
    text,
  );
  const [, sign = '', digits = ''] = match ?? [];
  if (match === null || (sign !== '' && !signed)) return undefined;
  if (/__|_$/.test(digits)) return undefined;
  const plain = digits.replaceAll('_', '');
  const magnitude = BigInt(/^0[0-7]/.test(plain) ? `0o${plain.slice(1)}` : plain);
  return sign === '-' ? -magnitude : magnitude;
}
