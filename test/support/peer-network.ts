import {
  Agent,
  createServer,
  request as forwardRequest,
  type IncomingMessage,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** How a link fails. */
export type Failure =
  /** Nothing arrives, and nobody is told: what is under way arrives when the link is whole again. */
  | 'silent'
  /** Connections break, and new ones too. */
  | 'broken';

/** The way of Raft messages from one member to another. */
class Link {
  failure: Failure | undefined;
  #waiting: (() => void)[] = [];
  readonly #breakers = new Set<() => void>();

  fail(failure: Failure): void {
    this.failure = failure;
    if (failure === 'broken') for (const breaks of [...this.#breakers]) breaks();
  }

  heal(): void {
    this.failure = undefined;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Calls `go` as soon as something gets through. */
  pass(go: () => void): void {
    if (this.failure === undefined) go();
    else this.#waiting.push(go);
  }

  /** Runs an exchange that `breaks` ends before its time. */
  async carry(breaks: () => void, work: () => Promise<void>): Promise<void> {
    this.#breakers.add(breaks);
    try {
      if (this.failure === 'broken') breaks();
      else await work();
    } finally {
      this.#breakers.delete(breaks);
    }
  }
}

/** Lets bytes through while a link is whole. */
class Gate extends Transform {
  readonly #link: Link;

  constructor(link: Link) {
    super();
    this.#link = link;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#link.pass(() => done(null, chunk));
  }
}

/**
 * The network between the members of a cluster: a proxy in front of each member's peer port, whose
 * URL the member advertises. It tells senders apart by the peer URLs that they introduce themselves
 * with. Other questions than Raft's (who the members are, which version they have) always pass.
 */
export class PeerNetwork {
  readonly #servers = new Map<string, Server>();
  readonly #names = new Map<string, string>();
  readonly #links = new Map<string, Link>();
  readonly #agent = new Agent({ keepAlive: true });

  /**
   * Puts a proxy before the peer port of a member.
   * @returns the URL to advertise
   */
  async open(name: string, targetPort: number, port: number): Promise<string> {
    const server = createServer((request, response) => {
      void this.#forward(name, targetPort, request, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${port}`;
    this.#servers.set(name, server);
    this.#names.set(url, name);
    return url;
  }

  /** Stops messages from one member to another, in this direction only. */
  cut(from: string, to: string, failure: Failure): void {
    this.#link(from, to).fail(failure);
  }

  /** Cuts a member off from all others. */
  isolate(name: string, failure: Failure): void {
    for (const other of this.#servers.keys()) {
      if (other === name) continue;
      this.cut(name, other, failure);
      this.cut(other, name, failure);
    }
  }

  /** Makes all links whole. */
  heal(): void {
    for (const link of this.#links.values()) link.heal();
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await Promise.all(
      [...this.#servers.values()].map((server) => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        return closed;
      }),
    );
  }

  #link(from: string, to: string): Link {
    const key = `${from} ${to}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = new Link();
    this.#links.set(key, link);
    return link;
  }

  /** The link that an exchange belongs to; none: it is not one of Raft's. */
  #linkOf(target: string, { headers, url = '' }: IncomingMessage): Link {
    const introduced = String(headers['x-peerurls'] ?? '').split(',');
    const dialer = introduced.map((peerUrl) => this.#names.get(peerUrl)).find(Boolean);
    if (dialer === undefined || !url.startsWith('/raft')) return new Link();
    // A stream is asked for by the member that reads it.
    return url.startsWith('/raft/stream') ? this.#link(target, dialer) : this.#link(dialer, target);
  }

  async #forward(
    name: string,
    port: number,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { method, url: path, headers } = request;
    const link = this.#linkOf(name, request);
    const options: RequestOptions = { host: '127.0.0.1', port, method, path, headers };
    const breaks = (): void => void request.socket.destroy();
    await link
      .carry(breaks, async () => {
        const forwarded = forwardRequest({ ...options, agent: this.#agent });
        const answered = new Promise<void>((resolve, reject) => {
          forwarded.once('error', reject);
          forwarded.once('response', (answer) => {
            const relay = (): void => {
              response.writeHead(answer.statusCode ?? 502, answer.headers);
              response.flushHeaders();
              pipeline(answer, new Gate(link), response).then(resolve, reject);
            };
            link.pass(relay);
          });
        });
        // A dialer that goes away must not leave the peer writing to nobody.
        response.once('close', () => forwarded.destroy());
        await Promise.all([pipeline(request, new Gate(link), forwarded), answered]);
      })
      .catch(breaks);
  }
}
