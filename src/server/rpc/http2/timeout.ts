import { quoteGo } from '../../../base/go-format.js';

const UNIT_MILLIS: ReadonlyMap<string, number> = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1000],
  ['m', 1],
  ['u', 1e-3],
  ['n', 1e-6],
]);
/** Eight digits and the unit. */
const MAX_LENGTH = 9;

/** Reads `grpc-timeout` in milliseconds; a string says in Go's words why it is none. */
export function parseTimeout(text: string): number | string {
  if (text.length < 2) return `transport: timeout string is too short: ${quoteGo(text)}`;
  if (text.length > MAX_LENGTH) return `transport: timeout string is too long: ${quoteGo(text)}`;
  const digits = text.slice(0, -1);
  const unit = UNIT_MILLIS.get(text.slice(-1));
  if (unit === undefined) return `transport: timeout unit is not recognized: ${quoteGo(text)}`;
  if (!/^\d+$/.test(digits)) {
    return `strconv.ParseUint: parsing ${quoteGo(digits)}: invalid syntax`;
  }
  return Number(digits) * unit;
}
