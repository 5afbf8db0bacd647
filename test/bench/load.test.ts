import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCalls } from '../../bench/load/calls.js';
import { Connection } from '../../bench/load/connection.js';
import type { CallsJob } from '../../bench/load/job.js';
import { encodeRequestHeaders } from '../../bench/load/request-headers.js';
import { benchKey } from '../../bench/load/requests.js';
import { HeaderDecoder } from '../../src/base/http2/hpack.js';
import { decodeHuffman } from '../../src/base/http2/huffman.js';
import { PutRequest } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { listenOnLoopback } from '../support/loopback.js';

/** Answers each gRPC call with the status that `statusOf` gives for its request message. */
class GrpcStub {
  readonly requests: Buffer[] = [];
  readonly #server: Http2Server = createServer();
  statusOf: (count: number) => string | 'reset' = () => '0';

  listen(): Promise<number> {
    this.#server.on('stream', (stream: ServerHttp2Stream) => this.#answer(stream));
    return listenOnLoopback(this.#server);
  }

  close(): void {
    this.#server.close();
  }

  #answer(stream: ServerHttp2Stream): void {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    stream.on('end', () => {
      this.requests.push(Buffer.concat(chunks));
      const status = this.statusOf(this.requests.length);
      if (status === 'reset') {
        stream.close(2);
        return;
      }
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': status, 'grpc-message': 'because' }),
      );
      stream.end(Buffer.from([0, 0, 0, 0, 0]));
    });
  }
}

const stub = { current: new GrpcStub(), port: 0 };

beforeEach(async () => {
  stub.current = new GrpcStub();
  stub.port = await stub.current.listen();
});
afterEach(() => stub.current.close());

function putJob(calls: number): CallsJob {
  return {
    kind: 'calls',
    shape: { type: 'put', keyCount: 1000 },
    connections: 2,
    streams: 25,
    sampleEvery: 1,
    extent: { calls },
    port: stub.port,
    serverPids: [process.pid],
  };
}

describe('the load of unary calls', () => {
  test('sends each request once, each with its own key, and counts the answers', async () => {
    const result = await runCalls(putJob(1000));
    expect(result).toMatchObject({ completed: 1000, failed: 0, responseBytes: 5000 });
    expect(result.p99Millis).toBeGreaterThan(0);
    const keys = stub.current.requests.map((request) => {
      expect(request.readUInt32BE(1)).toBe(request.length - 5);
      return PutRequest.decode(request.subarray(5)).key.toString();
    });
    expect(keys.sort()).toEqual(Array.from({ length: 1000 }, (_, i) => benchKey(i).toString()));
  });

  test('goes on beyond the windows of connection and streams', async () => {
    // 65,535 octets are the first window of a connection; 2,000 puts are ten times as many.
    const result = await runCalls({ ...putJob(2000), connections: 1, streams: 90 });
    expect(result).toMatchObject({ completed: 2000, failed: 0 });
  });

  test('counts a status other than OK as a failure and says what it was', async () => {
    stub.current.statusOf = (count) => (count === 7 ? '14' : '0');
    const result = await runCalls(putJob(50));
    expect(result).toMatchObject({
      completed: 49,
      failed: 1,
      firstFailure: 'gRPC status 14: because',
    });
  });

  test('counts a reset stream as a failure', async () => {
    stub.current.statusOf = (count) => (count === 7 ? 'reset' : '0');
    const result = await runCalls(putJob(50));
    expect(result).toMatchObject({ completed: 49, failed: 1, firstFailure: 'RST_STREAM, code 2' });
  });
});

describe('HPACK', () => {
  test('decodes what Node encodes, Huffman-coded or not, with a table that fills and evicts', async () => {
    // nghttp2 encodes with Huffman where that is shorter, and indexes what it sends.
    const statuses = Array.from(
      { length: 200 },
      (_, i) => `status ${i} !"#$%&'()*+,-./:;<=>?@[]^_{|}~`,
    );
    stub.current.statusOf = (count) => statuses[count - 1] ?? '';
    const failures: (string | undefined)[] = [];
    await new Promise<void>((resolve, reject) => {
      const headers = encodeRequestHeaders('/etcdserverpb.KV/Put', 'localhost');
      const listener = {
        data: () => undefined,
        end: (_: number, failure: string | undefined) => {
          failures.push(failure);
          if (failures.length === statuses.length) return resolve();
          connection?.call(headers, Buffer.from('x'), true);
        },
        broken: (reason: string) => reject(new Error(reason)),
      };
      let connection: Connection | undefined;
      Connection.open(stub.port, listener).then((open) => {
        connection = open;
        open.call(headers, Buffer.from('x'), true);
        open.flush();
      }, reject);
    });
    expect(failures).toEqual(statuses.map((status) => `gRPC status ${status}: because`));
  });

  test('knows the examples of RFC 7541', () => {
    const code = Buffer.from('f1e3c2e5f23a6ba0ab90f4ff', 'hex');
    expect(decodeHuffman(code, 0, code.length)).toBe('www.example.com');
    const decoder = new HeaderDecoder();
    const decode = (hex: string): string[] => {
      const block = Buffer.from(hex, 'hex');
      const fields: string[] = [];
      decoder.decode(block, 0, block.length, ({ name, value }) => fields.push(`${name}: ${value}`));
      return fields;
    };
    // Appendix C.4, three requests of one connection.
    const common = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
    expect(decode('828684418cf1e3c2e5f23a6ba0ab90f4ff')).toEqual(common);
    expect(decode('828684be5886a8eb10649cbf')).toEqual([...common, 'cache-control: no-cache']);
    expect(decode('828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf')).toEqual([
      ':method: GET',
      ':scheme: https',
      ':path: /index.html',
      ':authority: www.example.com',
      'custom-key: custom-value',
    ]);
  });

  test('refuses wrong padding, unknown entries and truncated blocks', () => {
    const block = Buffer.from('fe', 'hex');
    const visit = (): void => undefined;
    expect(() => decodeHuffman(Buffer.from([0b11111110]), 0, 1)).toThrow('padding');
    expect(() => new HeaderDecoder().decode(block, 0, 1, visit)).toThrow('no table entry');
    expect(() =>
      new HeaderDecoder().decode(Buffer.from('0003616263', 'hex'), 0, 4, visit),
    ).toThrow();
  });
});
