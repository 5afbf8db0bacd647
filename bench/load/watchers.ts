import { Connection, type StreamListener } from './connection.js';
import { CpuMeter } from './cpu-time.js';
import type { LoadResult, WatchJob } from './job.js';
import { Latencies } from './latencies.js';
import { MessageCounter } from './message-counter.js';
import { encodeRequestHeaders } from './request-headers.js';
import { requestMaker, watchCreateMessage } from './requests.js';

/** How long the last events may take after the writer has stopped. */
const DRAIN_MILLIS = 30_000;

/** Measures how many watch events a second reach their watchers. */
export async function runWatchers(job: WatchJob): Promise<LoadResult> {
  return new WatchLoad(job).run();
}

class WatchLoad {
  readonly #job: WatchJob;
  readonly #watcherCount: number;
  readonly #latencies = new Latencies();
  /** When each put was sent whose events have not all been delivered; oldest first. */
  readonly #undelivered: number[] = [];
  readonly #writer: Writer;
  #created = 0;
  #events = 0;
  #bytes = 0;
  #puts = 0;
  #delivered = 0;
  #isStopping = false;
  #failures: string[] = [];
  #wake: () => void = () => undefined;

  constructor(job: WatchJob) {
    this.#job = job;
    this.#watcherCount = job.connections * job.watchersPerConnection;
    this.#writer = new Writer(job, this);
  }

  async run(): Promise<LoadResult> {
    const streams: WatchStream[] = [];
    for (let index = 0; index < this.#job.connections; index++) {
      streams.push(await WatchStream.open(this.#job, this));
    }
    await this.#until(() => this.#created === this.#watcherCount, DRAIN_MILLIS);
    await this.#writer.open();
    const cpu = new CpuMeter(this.#job.serverPids);
    const start = performance.now();
    this.#writer.put();
    await this.#until(() => false, this.#job.seconds * 1000);
    this.#isStopping = true;
    await this.#until(
      () => !this.#writer.isWriting && this.#undelivered.length === 0,
      DRAIN_MILLIS,
    );
    const seconds = (performance.now() - start) / 1000;
    if (this.#writer.isWriting) this.fail('the last put was not answered');
    const missing = this.#puts * this.#watcherCount - this.#events;
    if (missing !== 0) this.fail(`${missing} events are missing`);
    const result = this.#result(seconds, cpu);
    for (const stream of streams) stream.close();
    this.#writer.close();
    return result;
  }

  fail(reason: string): void {
    this.#failures.push(reason);
    this.#wake();
  }

  received(created: number, events: number, bytes: number): void {
    this.#created += created;
    this.#events += events;
    this.#bytes += bytes;
    const delivered = Math.floor(this.#events / this.#watcherCount);
    if (delivered > this.#delivered) {
      const now = performance.now();
      for (; this.#delivered < delivered; this.#delivered++) {
        const sent = this.#undelivered.shift();
        if (sent === undefined) {
          this.fail('an event of no put');
          return;
        }
        this.#latencies.add(now - sent);
      }
      this.#putNext();
    }
    this.#wake();
  }

  putAnswered(): void {
    this.#putNext();
    this.#wake();
  }

  /** The writer's next put, if its last one is answered and the watchers keep up. */
  #putNext(): void {
    if (this.#isStopping || this.#writer.isWriting) return;
    if (this.#undelivered.length < this.#job.maxUndelivered) this.#writer.put();
  }

  putSent(): void {
    this.#puts += 1;
    this.#undelivered.push(performance.now());
  }

  /** Waits until the condition holds, the time is over or something failed. */
  #until(condition: () => boolean, millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.#wake = () => {
        if (!condition() && this.#failures.length === 0) return;
        clearTimeout(timer);
        resolve();
      };
      this.#wake();
    });
  }

  #result(seconds: number, cpu: CpuMeter): LoadResult {
    const [firstFailure] = this.#failures;
    return {
      completed: this.#events,
      seconds,
      failed: this.#failures.length,
      ...(firstFailure === undefined ? {} : { firstFailure }),
      p50Millis: this.#latencies.quantile(0.5),
      p99Millis: this.#latencies.quantile(0.99),
      responseBytes: this.#bytes,
      ...cpu.read(),
    };
  }
}

/** One connection with one Watch stream that carries several watchers, as etcd's clients do it. */
class WatchStream implements StreamListener {
  readonly #load: WatchLoad;
  readonly #counter = new MessageCounter();
  #connection: Connection | undefined;

  private constructor(load: WatchLoad) {
    this.#load = load;
  }

  static async open(job: WatchJob, load: WatchLoad): Promise<WatchStream> {
    const stream = new WatchStream(load);
    const connection = await Connection.open(job.port, stream);
    stream.#connection = connection;
    const headers = encodeRequestHeaders('/etcdserverpb.Watch/Watch', `127.0.0.1:${job.port}`);
    const message = watchCreateMessage();
    const streamId = connection.call(headers, message, false);
    for (let count = 1; count < job.watchersPerConnection; count++) {
      connection.send(streamId, message, false);
    }
    connection.flush();
    return stream;
  }

  data(_streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#counter.add(bytes, start, end);
    this.#load.received(this.#counter.takeCreated(), this.#counter.takeEvents(), end - start);
  }

  end(_streamId: number, failure: string | undefined): void {
    this.#load.fail(failure ?? 'the watch stream ended');
  }

  broken(reason: string): void {
    this.#load.fail(reason);
  }

  close(): void {
    this.#connection?.close();
  }
}

/** The client that puts, one call in flight. */
class Writer implements StreamListener {
  readonly #load: WatchLoad;
  readonly #port: number;
  readonly #maker;
  readonly #headers: Buffer;
  #connection: Connection | undefined;
  #sequence = 0;
  isWriting = false;

  constructor(job: WatchJob, load: WatchLoad) {
    this.#load = load;
    this.#port = job.port;
    this.#maker = requestMaker({ type: 'put', keyCount: job.keyCount });
    this.#headers = encodeRequestHeaders(this.#maker.method, `127.0.0.1:${job.port}`);
  }

  async open(): Promise<void> {
    this.#connection = await Connection.open(this.#port, this);
  }

  put(): void {
    this.isWriting = true;
    this.#load.putSent();
    this.#connection?.call(this.#headers, this.#maker.make(this.#sequence++), true);
    this.#connection?.flush();
  }

  data(): void {}

  end(_streamId: number, failure: string | undefined): void {
    this.isWriting = false;
    if (failure === undefined) this.#load.putAnswered();
    else this.#load.fail(failure);
  }

  broken(reason: string): void {
    this.#load.fail(reason);
  }

  close(): void {
    this.#connection?.close();
  }
}
