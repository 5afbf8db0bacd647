import { Connection, type StreamListener } from './connection.js';
import { CpuMeter } from './cpu-time.js';
import type { CallsJob, LoadResult } from './job.js';
import { Latencies } from './latencies.js';
import { encodeRequestHeaders } from './request-headers.js';
import { type RequestMaker, requestMaker } from './requests.js';

/** Runs a closed loop of unary calls. */
export async function runCalls(job: CallsJob): Promise<LoadResult> {
  return new CallLoad(job).run();
}

class CallLoad {
  readonly #job: CallsJob;
  readonly #maker: RequestMaker;
  readonly #headers: Buffer;
  readonly #clients: Client[] = [];
  #sequence = 0;
  #limit = Number.POSITIVE_INFINITY;
  #openCalls = 0;
  #completed = 0;
  #failed = 0;
  #firstFailure: string | undefined;
  #responseBytes = 0;
  #latencies = new Latencies();
  #onIdle: () => void = () => undefined;

  constructor(job: CallsJob) {
    this.#job = job;
    this.#maker = requestMaker(job.shape);
    this.#headers = encodeRequestHeaders(this.#maker.method, `127.0.0.1:${job.port}`);
  }

  async run(): Promise<LoadResult> {
    const { connections, port, extent } = this.#job;
    for (let index = 0; index < connections; index++) {
      this.#clients.push(await Client.open(port, this, this.#job.sampleEvery));
    }
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    if ('calls' in extent) this.#limit = extent.calls;
    let cpu = new CpuMeter(this.#job.serverPids);
    let start = performance.now();
    for (const client of this.#clients) client.start(this.#job.streams);
    let seconds: number;
    if ('calls' in extent) {
      await idle;
      seconds = (performance.now() - start) / 1000;
    } else {
      await pause(extent.warmUpSeconds);
      this.#completed = 0;
      this.#responseBytes = 0;
      this.#latencies = new Latencies();
      cpu = new CpuMeter(this.#job.serverPids);
      start = performance.now();
      await pause(extent.seconds);
      seconds = (performance.now() - start) / 1000;
    }
    const result = this.#result(seconds, cpu);
    this.#limit = 0;
    await idle;
    for (const client of this.#clients) client.close();
    return result;
  }

  /** The next request, or undefined if no more shall follow. */
  next(connection: Connection): number | undefined {
    if (this.#sequence >= this.#limit) return undefined;
    this.#openCalls += 1;
    return connection.call(this.#headers, this.#maker.make(this.#sequence++), true);
  }

  received(bytes: number): void {
    this.#responseBytes += bytes;
  }

  ended(failure: string | undefined, latencyMillis: number | undefined): void {
    this.#openCalls -= 1;
    if (failure === undefined) this.#completed += 1;
    else this.#fail(1, failure);
    if (latencyMillis !== undefined) this.#latencies.add(latencyMillis);
    if (this.#openCalls === 0 && this.#sequence >= this.#limit) this.#onIdle();
  }

  broken(openCalls: number, reason: string): void {
    this.#openCalls -= openCalls;
    this.#fail(openCalls, reason);
    this.#limit = 0;
    if (this.#openCalls === 0) this.#onIdle();
  }

  #fail(count: number, reason: string): void {
    this.#failed += count;
    this.#firstFailure ??= reason;
  }

  #result(seconds: number, cpu: CpuMeter): LoadResult {
    return {
      completed: this.#completed,
      seconds,
      failed: this.#failed,
      ...(this.#firstFailure === undefined ? {} : { firstFailure: this.#firstFailure }),
      p50Millis: this.#latencies.quantile(0.5),
      p99Millis: this.#latencies.quantile(0.99),
      responseBytes: this.#responseBytes,
      ...cpu.read(),
    };
  }
}

/** One connection and its calls in flight. */
class Client implements StreamListener {
  readonly #load: CallLoad;
  readonly #sampleEvery: number;
  readonly #started = new Map<number, number>();
  #connection: Connection | undefined;
  #openCalls = 0;
  #callsUntilSample = 0;

  private constructor(load: CallLoad, sampleEvery: number) {
    this.#load = load;
    this.#sampleEvery = sampleEvery;
  }

  static async open(port: number, load: CallLoad, sampleEvery: number): Promise<Client> {
    const client = new Client(load, sampleEvery);
    client.#connection = await Connection.open(port, client);
    return client;
  }

  start(streams: number): void {
    const allowed = this.#connection?.maxStreams ?? 0;
    if (allowed < streams) throw new Error(`the server allows only ${allowed} streams`);
    for (let count = 0; count < streams; count++) this.#callNext();
    this.#connection?.flush();
  }

  close(): void {
    this.#connection?.close();
  }

  data(_streamId: number, _bytes: Buffer, start: number, end: number): void {
    this.#load.received(end - start);
  }

  end(streamId: number, failure: string | undefined): void {
    this.#openCalls -= 1;
    const started = this.#started.get(streamId);
    if (started !== undefined) this.#started.delete(streamId);
    this.#load.ended(failure, started === undefined ? undefined : performance.now() - started);
    this.#callNext();
  }

  broken(reason: string): void {
    this.#load.broken(this.#openCalls, reason);
    this.#openCalls = 0;
  }

  /** What it writes goes out when the chunk being read has been dealt with. */
  #callNext(): void {
    if (this.#connection === undefined) return;
    const streamId = this.#load.next(this.#connection);
    if (streamId === undefined) return;
    this.#openCalls += 1;
    if (this.#callsUntilSample === 0) {
      this.#started.set(streamId, performance.now());
      this.#callsUntilSample = this.#sampleEvery;
    }
    this.#callsUntilSample -= 1;
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
