import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeHeader,
  encodeInteger,
  HeaderDecoder,
  type HeaderField,
  HeaderListTooLargeError,
  HpackError,
} from '../../../src/base/http2/hpack.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { Http2Transport } from '../../../src/server/rpc/http2/http2-transport.js';
import type { CallMetadata } from '../../../src/server/rpc/transport.js';
import { listenOnLoopback } from '../../support/loopback.js';

function decode(decoder: HeaderDecoder, block: Buffer): HeaderField[] {
  const fields: HeaderField[] = [];
  decoder.decode(block, 0, block.length, (field) => fields.push(field));
  return fields;
}

/** An encoder that knows every way to write a field, but for Huffman codes. */
class ModelEncoder {
  #table: HeaderField[] = [];
  #capacity = 4096;

  field(field: HeaderField, choice: number): Buffer {
    const literal = encodeHeader(field.name, field.value);
    const position = this.#table.findIndex(
      ({ name, value }) => name === field.name && value === field.value,
    );
    if (position >= 0 && choice > 0) return encodeInteger(62 + position, 7, 0x80);
    if (choice < 2) return literal;
    const named = this.#table.findIndex(({ name }) => name === field.name);
    this.#table.unshift(field);
    this.#evict();
    const value = encodeHeader('x', field.value).subarray(3);
    return named >= 0
      ? Buffer.concat([encodeInteger(62 + named, 6, 0x40), value])
      : Buffer.concat([
          Buffer.of(0x40),
          encodeInteger(field.name.length, 7, 0),
          Buffer.from(field.name, 'latin1'),
          value,
        ]);
  }

  resize(capacity: number): Buffer {
    this.#capacity = capacity;
    this.#evict();
    return encodeInteger(capacity, 5, 0x20);
  }

  #evict(): void {
    const size = (): number =>
      this.#table.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0);
    while (size() > this.#capacity) this.#table.pop();
  }
}

const latin1 = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const name = fc.constantFrom('a', 'token', 'grpc-timeout', ':path', 'x'.repeat(200));
const step = fc.record({ name, value: latin1, choice: fc.integer({ min: 0, max: 3 }) });

describe('HeaderDecoder', () => {
  it('reads what an encoder may write, through evictions and changes of the table’s size', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.array(step, { maxLength: 8 }), fc.option(fc.integer({ min: 0, max: 4096 }))),
          { maxLength: 12 },
        ),
        (blocks) => {
          const encoder = new ModelEncoder();
          const decoder = new HeaderDecoder();
          for (const [steps, capacity] of blocks) {
            const parts = capacity === null ? [] : [encoder.resize(capacity)];
            const fields = steps.map(({ name: text, value }) => ({ name: text, value }));
            for (const { choice, ...field } of steps) parts.push(encoder.field(field, choice));
            expect(decode(decoder, Buffer.concat(parts))).toEqual(fields);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('answers any octets with fields or an HpackError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
        const decoder = new HeaderDecoder(1000);
        try {
          decode(decoder, Buffer.from(octets));
        } catch (error) {
          const isExpected =
            error instanceof HpackError || error instanceof HeaderListTooLargeError;
          expect(isExpected, String(error)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('says whether a block used or changed the table', () => {
    const decoder = new HeaderDecoder();
    const { version } = decoder;
    decode(decoder, encodeHeader('token', 'x'));
    expect([decoder.version === version, decoder.usedTable]).toEqual([true, false]);
    decode(decoder, Buffer.concat([Buffer.of(0x40), encodeHeader('token', 'x').subarray(1)]));
    expect([decoder.version === version, decoder.usedTable]).toEqual([false, false]);
    decode(decoder, Buffer.of(0xbe));
    expect(decoder.usedTable).toBe(true);
  });

  it('refuses a change of the table’s size after a field', () => {
    expect(() => decode(new HeaderDecoder(), Buffer.of(0x82, 0x20))).toThrow(HpackError);
  });
});

describe('headers as nghttp2 encodes them', () => {
  let listener: net.Server;
  let transport: Http2Transport;
  let session: http2.ClientHttp2Session;
  let seen: CallMetadata | undefined;

  beforeAll(async () => {
    transport = new Http2Transport({
      clock: nodeClock,
      methods: [
        {
          path: '/a.B/C',
          kind: 'unary',
          handle: (request, { metadata }) => {
            seen = metadata;
            return request;
          },
        },
      ],
    });
    listener = net.createServer((socket) => transport.accept(socket));
    const port = await listenOnLoopback(listener);
    session = http2.connect(`http://127.0.0.1:${port}`);
  });

  afterAll(async () => {
    session.destroy();
    listener.close();
    await transport.close(0);
  });

  it('arrive as they were, Huffman-coded or not, call after call', async () => {
    // Node sends neither controls nor blanks at the ends.
    const value = fc
      .uint8Array({ maxLength: 400 })
      .map((bytes) =>
        Buffer.from(bytes.map((b) => (b < 33 || b === 127 ? 65 : b))).toString('latin1'),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 6 }), async (values) => {
        const fields = Object.fromEntries(values.map((text, i) => [`field-${i}`, text]));
        const request = session.request({
          ':method': 'POST',
          ':path': '/a.B/C',
          'content-type': 'application/grpc',
          ...fields,
        });
        request.resume();
        request.end(Buffer.alloc(5));
        const [trailers] = await once(request, 'trailers');
        expect(trailers['grpc-status']).toBe('0');
        for (const [key, text] of Object.entries(fields)) expect(seen?.get(key)).toBe(text);
      }),
      { numRuns: 150 },
    );
  });
});
