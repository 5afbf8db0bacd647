import { quoteGo } from '../../base/go-format.js';
import type { Clock } from '../../platform/clock.js';
import { parseMemberUrl } from '../config/urls.js';
import { joinHostPort, splitHostPort } from '../http/address.js';
import type { HostResolver } from './host-resolver.js';

/** How long host names are looked up, again and again, before URLs count as different, ms. */
const RESOLVE_TIMEOUT_MILLIS = 30_000;
/** Pause before the next try, ms. */
const RETRY_MILLIS = 1000;

export interface SameUrlsOptions {
  readonly clock: Pick<Clock, 'monotonicMillis' | 'setTimer'>;
  readonly resolver: Pick<HostResolver, 'address'>;
}

/**
 * Compares two lists of peer URLs, whatever their order; if they differ as texts, then by what their
 * hosts resolve to (reference: server 2.2).
 * @returns undefined: they are the same; otherwise what makes them differ, in Go's words
 */
export async function urlDifference(
  left: readonly string[],
  right: readonly string[],
  options: SameUrlsOptions,
): Promise<string | undefined> {
  if (left.length !== right.length) return `len(${listText(left)}) != len(${listText(right)})`;
  if (differsAt(left, right) === undefined) return undefined;
  const deadline = options.clock.monotonicMillis() + RESOLVE_TIMEOUT_MILLIS;
  let resolved: readonly (readonly string[])[];
  try {
    resolved = await Promise.all(
      [left, right].map((urls) => Promise.all(urls.map((url) => resolve(url, deadline, options)))),
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const [leftResolved = [], rightResolved = []] = resolved;
  const at = differsAt(leftResolved, rightResolved);
  if (at === undefined) return undefined;
  return `${shown(leftResolved, left, at)} != ${shown(rightResolved, right, at)}`;
}

function differsAt(left: readonly string[], right: readonly string[]): number | undefined {
  const [a, b] = [[...left].sort(), [...right].sort()];
  const at = a.findIndex((url, position) => url !== b[position]);
  return at < 0 ? undefined : at;
}

function shown(resolved: readonly string[], urls: readonly string[], at: number): string {
  const [url = '', from = ''] = [[...resolved].sort()[at], [...urls].sort()[at]];
  return `${quoteGo(url)}(resolved from ${quoteGo(from)})`;
}

function listText(urls: readonly string[]): string {
  return `[${urls.map(quoteGo).join(' ')}]`;
}

/** The URL with the address of its host. A host may become known while one waits. */
async function resolve(
  text: string,
  deadline: number,
  { clock, resolver }: SameUrlsOptions,
): Promise<string> {
  const { scheme, host: authority } = parseMemberUrl(text);
  if (scheme.startsWith('unix')) return text;
  const { host, port } = splitHostPort(authority);
  // Trap: etcd compares this one as it stands.
  if (host === 'localhost') return text;
  for (;;) {
    try {
      return `${scheme}://${joinHostPort(await resolver.address(host), port)}`;
    } catch (error) {
      if (clock.monotonicMillis() + RETRY_MILLIS > deadline) throw error;
      await new Promise<void>((done) => clock.setTimer(RETRY_MILLIS, done));
    }
  }
}
