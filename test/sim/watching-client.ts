import { asBuffer } from '../../src/base/bytes.js';
import type { Random } from '../../src/platform/random.js';
import {
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { type Event, Event_EventType as EventType } from '../../src/proto/gen/mvccpb/kv.js';
import { SERVICES } from '../../src/proto/services.js';
import { LocalStream } from '../../src/server/rpc/local-stream.js';
import { callContext } from './connection.js';
import type { Life, SimulatedMember } from './member.js';
import type { SimulatedNetwork } from './network.js';
import { showKeyValue } from './operations.js';
import { eventText, type WatchHistory, type WatchNote } from './watch-checker.js';

/** Longest that a client stays connected to one member, ms. */
const STAY_MILLIS = 4000;
/** Longest that a client takes over a response, ms. */
const READ_MILLIS = 5;
const RETRY_MILLIS = 50;

export interface WatchingClientOptions {
  readonly name: string;
  readonly key: string;
  readonly end: string;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly members: () => readonly SimulatedMember[];
  readonly onFailure: (error: unknown) => void;
}

/** A client that watches a range, goes from member to member and goes on where it was. */
export class WatchingClient implements WatchHistory {
  readonly name: string;
  readonly key: string;
  readonly end: string;
  readonly notes: WatchNote[] = [];
  startRevision: number | undefined;
  readonly #options: WatchingClientOptions;
  /** The first revision that it has not been told of. */
  #next: number | undefined;
  #isStopped = false;

  constructor(options: WatchingClientOptions) {
    this.#options = options;
    this.name = options.name;
    this.key = options.key;
    this.end = options.end;
  }

  start(): void {
    this.#watchOnAndOn().catch(this.#options.onFailure);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #watchOnAndOn(): Promise<void> {
    const { members, random, network } = this.#options;
    while (!this.#isStopped) {
      const serving = members().filter(({ isServing }) => isServing);
      const member = serving[random.integer(serving.length)];
      if (member?.life === undefined) await network.scheduler.sleep(RETRY_MILLIS);
      else await this.#watchAt(member.life);
    }
  }

  async #watchAt(life: Life): Promise<void> {
    const { network, random } = this.#options;
    const { scheduler } = network;
    await scheduler.sleep(network.delay());
    if (life.process.isDead) return;
    const { path } = SERVICES.watch.watch;
    const stream = new LocalStream(callContext(path), undefined);
    life.process.onDeath(() => stream.close());
    scheduler.schedule(random.float() * STAY_MILLIS, life.process, () => stream.close());
    scheduler.schedule(0, life.process, () => {
      if (life.isStopping) stream.close();
      else this.#open(life, stream);
    });
    for await (const bytes of stream) {
      await scheduler.sleep(random.float() * READ_MILLIS);
      // What was on its way when the connection broke never came.
      if (life.process.isDead || !this.#take(WatchResponse.decode(bytes))) return;
    }
  }

  #open(life: Life, stream: LocalStream): void {
    const method = life.methods.get(SERVICES.watch.watch.path);
    if (method === undefined || method.kind === 'unary') throw new Error('no watch service');
    method.handle(stream);
    const value = WatchCreateRequest.create({
      key: Buffer.from(this.key, 'latin1'),
      rangeEnd: Buffer.from(this.end, 'latin1'),
      startRevision: this.#next ?? 0,
      progressNotify: true,
      fragment: true,
    });
    const request = WatchRequest.create({ requestUnion: { $case: 'createRequest', value } });
    stream.request(asBuffer(WatchRequest.encode(request).finish()));
  }

  #fragments: Event[] = [];

  /** False: the stream ended. */
  #take(response: WatchResponse): boolean {
    const { header, events, created, canceled, compactRevision, fragment } = response;
    const revision = header?.revision ?? 0;
    if (created) {
      this.#fragments = [];
      this.#next ??= revision + 1;
      this.startRevision ??= this.#next;
    }
    if (canceled) {
      if (compactRevision === 0) throw new Error(`${this.name} is cancelled`);
      this.notes.push({ kind: 'compacted', revision: compactRevision });
      this.#next = Math.max(this.#next ?? 0, compactRevision);
      return false;
    }
    this.#fragments.push(...events);
    if (fragment) return true;
    const whole = this.#fragments;
    this.#fragments = [];
    for (const event of whole) this.#note(event);
    if (!created && events.length === 0) this.notes.push({ kind: 'progress', revision });
    return true;
  }

  #note({ type, kv }: Event): void {
    if (kv === undefined) throw new Error('an event without a key');
    const isDelete = type === EventType.DELETE;
    const shown = isDelete ? kv.key.toString('latin1') : showKeyValue(kv);
    this.notes.push({ kind: 'event', revision: kv.modRevision, text: eventText(isDelete, shown) });
    this.#next = kv.modRevision + 1;
  }
}
