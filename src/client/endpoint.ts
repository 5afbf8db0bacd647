/** One server address as the client dials it. */
export interface Endpoint {
  /** The text the user gave, for messages. */
  readonly text: string;
  /** Dial target: a TCP address, a unix socket path, or the reason why the text is neither. */
  readonly target: TcpTarget | UnixTarget | InvalidTarget;
  /** True if TLS is spoken. */
  readonly secure: boolean;
  /** Value of the `:authority` header. */
  readonly authority: string;
}

export interface TcpTarget {
  readonly kind: 'tcp';
  /** Name or IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface UnixTarget {
  readonly kind: 'unix';
  readonly path: string;
}

/** An address that cannot be dialled; calls to it wait in vain, as they do in etcd's client. */
export interface InvalidTarget {
  readonly kind: 'invalid';
  readonly reason: string;
}

const SECURE_SCHEMES: ReadonlySet<string> = new Set(['https', 'unixs']);

/**
 * Parses endpoints. The scheme of the first one decides for all of them: `https` and `unixs` speak
 * TLS, `http` speaks plaintext, and an endpoint without a scheme (or `unix`) speaks TLS exactly if
 * `tlsConfigured` (reference: cli 2.3, 2.4).
 */
export function parseEndpoints(texts: readonly string[], tlsConfigured: boolean): Endpoint[] {
  const trimmed = texts.map((text) => text.trim());
  const secure = speaksTls(trimmed[0] ?? '', tlsConfigured);
  return trimmed.map((text) => parseEndpoint(text, secure));
}

function speaksTls(text: string, tlsConfigured: boolean): boolean {
  const scheme = schemeOf(text);
  if (scheme === 'http') {
    return false;
  }
  return scheme !== undefined && SECURE_SCHEMES.has(scheme) ? true : tlsConfigured;
}

function schemeOf(text: string): string | undefined {
  const match = /^(?:([a-z][a-z0-9+.-]*):\/\/|(unixs?):)/i.exec(text);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function parseEndpoint(text: string, secure: boolean): Endpoint {
  const scheme = schemeOf(text);
  if (scheme === 'unix' || scheme === 'unixs') {
    const path = text.slice(scheme.length + 1).replace(/^\/\//, '');
    return { text, target: { kind: 'unix', path }, secure, authority: 'localhost' };
  }
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    const target: InvalidTarget = { kind: 'invalid', reason: `unknown scheme "${scheme}"` };
    return { text, target, secure, authority: text };
  }
  const address = scheme === undefined ? text : hostPartOf(text.slice(scheme.length + 3));
  return { text, target: parseAddress(address), secure, authority: address };
}

/** The part of a URL between the scheme and the path, without user information. */
function hostPartOf(rest: string): string {
  const end = rest.search(/[/?#]/);
  const authority = end === -1 ? rest : rest.slice(0, end);
  return authority.slice(authority.lastIndexOf('@') + 1);
}

function parseAddress(address: string): TcpTarget | InvalidTarget {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(address);
  if (match === null) {
    const fault = address.split(':').length > 2 ? 'too many colons' : 'missing port';
    return { kind: 'invalid', reason: `address ${address}: ${fault} in address` };
  }
  const portText = match[3] ?? '';
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port > 65535) {
    return { kind: 'invalid', reason: `address ${address}: invalid port` };
  }
  const host = match[1] ?? match[2] ?? '';
  return { kind: 'tcp', host: host === '' ? 'localhost' : host, port };
}
