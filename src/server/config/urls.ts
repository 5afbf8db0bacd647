import { quoteGo } from '../../base/go-format.js';
import { type MemberUrl, splitHostPort } from '../http/address.js';

/**
 * Reads a comma list of URLs as etcd does: http and https with explicit `host:port` and no path,
 * unix and unixs; sorted, without duplicates (reference: server 1.1).
 * @throws Error with etcd's text
 */
export function parseUrlList(list: string): MemberUrl[] {
  return uniqueUrls(list.split(',').map(parseMemberUrl));
}

/** Sorted by text, without duplicates. */
function uniqueUrls(urls: readonly MemberUrl[]): MemberUrl[] {
  const byText = new Map(urls.map((url) => [url.text, url]));
  return sortedUrls([...byText.values()]);
}

function sortedUrls(urls: readonly MemberUrl[]): MemberUrl[] {
  return [...urls].sort((a, b) => Buffer.compare(Buffer.from(a.text), Buffer.from(b.text)));
}

/** Reads one URL; see {@link parseUrlList}. */
export function parseMemberUrl(input: string): MemberUrl {
  const text = input.trim();
  const { scheme, host, path, suffix, opaque } = splitUrl(text);
  switch (scheme) {
    case 'http':
    case 'https':
      try {
        splitHostPort(host);
      } catch {
        throw new Error(`URL address does not have the form "host:port": ${text}`);
      }
      if (path !== '') throw new Error(`URL must not contain a path: ${text}`);
      break;
    case 'unix':
    case 'unixs':
      break;
    default:
      throw new Error(`URL scheme must be http, https, unix, or unixs: ${text}`);
  }
  const rest = opaque === undefined ? `//${host}${path}` : opaque;
  return { scheme, host, path, text: `${scheme}:${rest}${suffix}` };
}

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  /** Query and fragment. */
  readonly suffix: string;
  /** What follows the scheme when no slash does: `unix:name`. */
  readonly opaque: string | undefined;
}

/** The parts of a URL, by the rules and with the error texts of Go's net/url. */
function splitUrl(text: string): UrlParts {
  const fault = (why: string) => new Error(`parse ${quoteGo(text)}: ${why}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is sought.
  if (/[\x00-\x1f\x7f]/.test(text)) throw fault('net/url: invalid control character in URL');
  const suffixAt = text.search(/[?#]/);
  const suffix = suffixAt < 0 ? '' : text.slice(suffixAt);
  let rest = suffixAt < 0 ? text : text.slice(0, suffixAt);
  if (rest.startsWith(':')) throw fault('missing protocol scheme');
  const schemeMatch = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(rest);
  const scheme = schemeMatch?.[1]?.toLowerCase() ?? '';
  rest = rest.slice(schemeMatch?.[0].length ?? 0);
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { scheme, host: '', path: '', suffix, opaque: rest };
    if (/^[^/]*:/.test(rest)) throw fault('first path segment in URL cannot contain colon');
    return { scheme, host: '', path: rest, suffix, opaque: undefined };
  }
  if (!rest.startsWith('//') || (scheme === '' && rest.startsWith('///'))) {
    return { scheme, host: '', path: rest, suffix, opaque: undefined };
  }
  const slash = rest.indexOf('/', 2);
  const host = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  const path = slash < 0 ? '' : rest.slice(slash);
  checkHost(host.slice(host.lastIndexOf('@') + 1), fault);
  return { scheme, host, path, suffix, opaque: undefined };
}

function checkHost(host: string, fault: (why: string) => Error): void {
  let port: string;
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) throw fault("missing ']' in host");
    port = host.slice(end + 1);
  } else {
    const colon = host.lastIndexOf(':');
    port = colon < 0 ? '' : host.slice(colon);
  }
  if (port !== '' && !/^:\d*$/.test(port)) throw fault(`invalid port ${quoteGo(port)} after host`);
  if (/[ "<>\\^`{|}]/.test(host)) {
    const bad = /[ "<>\\^`{|}]/.exec(host)?.[0] ?? '';
    throw fault(`invalid character ${quoteGo(bad)} in host name`);
  }
}

/**
 * Reads `name=url,name=url,name2=url`: the peer URLs of each member, sorted. A name given twice
 * collects its URLs, and an empty part counts for nothing, as in etcd.
 * @throws Error with etcd's text
 */
export function parseInitialCluster(text: string): Map<string, MemberUrl[]> {
  const urls = new Map<string, MemberUrl[]>();
  for (const part of text.split(',').filter((each) => each !== '')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const url = parseMemberUrl(equals < 0 ? '' : part.slice(equals + 1));
    // Trap: a URL given twice is kept, so that whoever compares the lists can refuse it.
    urls.set(name, sortedUrls([...(urls.get(name) ?? []), url]));
  }
  return urls;
}
