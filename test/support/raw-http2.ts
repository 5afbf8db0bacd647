import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  CLIENT_PREFACE,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER_BYTES,
  FrameType,
  writeFrameHeader,
} from '../../src/base/http2/frames.js';
import { encodeHeader, HeaderDecoder } from '../../src/base/http2/hpack.js';
import type { RpcTransport } from '../../src/server/rpc/transport.js';

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, streamId);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [i, [setting, value]] of pairs.entries()) {
    payload.writeUInt16BE(setting, 6 * i);
    payload.writeUInt32BE(value, 6 * i + 2);
  }
  return frame(FrameType.Settings, 0, 0, payload);
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(FrameType.WindowUpdate, 0, streamId, uint32(increment));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A gRPC message with its prefix. */
export function message(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.of(0), uint32(bytes.length), bytes]);
}

/** The header block of a call. */
export function callBlock(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const fields = { ':path': path, 'content-type': 'application/grpc', ...more };
  return Buffer.concat([
    Buffer.of(0x83, 0x86),
    ...Object.entries(fields).map(([name, value]) => encodeHeader(name, value)),
  ]);
}

export function headers(streamId: number, block: Buffer, flags = 0): Buffer {
  return frame(FrameType.Headers, FLAG_END_HEADERS | flags, streamId, block);
}

export function data(streamId: number, content: Uint8Array, flags = FLAG_END_STREAM): Buffer {
  return frame(FrameType.Data, flags, streamId, content);
}

/** A whole unary request. */
export function call(streamId: number, path: string, content: Uint8Array | string): Buffer {
  return Buffer.concat([headers(streamId, callBlock(path)), data(streamId, message(content))]);
}

/** What came back on one stream. */
export interface Answer {
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly resetCode: number | undefined;
  readonly isEnded: boolean;
}

/** A client that sends the octets it is told, over a socket that is none. */
export class RawPeer {
  readonly socket: Duplex;
  /** Whether the pretended kernel takes what is written. */
  isReading = true;
  /** Writes that the socket got. */
  writes = 0;
  #received: Buffer[] = [];
  #pending: (() => void) | undefined;

  constructor(transport: RpcTransport) {
    this.socket = new Duplex({
      allowHalfOpen: true,
      read() {},
      write: (chunk: Buffer, _encoding, taken) => {
        this.writes++;
        this.#received.push(chunk);
        if (this.isReading) taken();
        else this.#pending = taken;
      },
    });
    this.socket.on('error', () => undefined);
    transport.accept(this.socket as Socket);
  }

  /** Preface, settings, and the settings' acknowledgement. */
  open(...pairs: readonly (readonly [number, number])[]): this {
    return this.send(CLIENT_PREFACE, settings(...pairs), frame(FrameType.Settings, FLAG_ACK, 0));
  }

  /** Delivers octets as one chunk. */
  send(...parts: readonly Uint8Array[]): this {
    if (!this.socket.destroyed) this.socket.push(Buffer.concat(parts));
    return this;
  }

  read(): void {
    this.isReading = true;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.();
  }

  /** Lets the server do all it can do now. */
  async settle(): Promise<this> {
    for (let turn = 0; turn < 4; turn++) await nextTurn();
    return this;
  }

  get frames(): RawFrame[] {
    const frames: RawFrame[] = [];
    const bytes = Buffer.concat(this.#received);
    this.#received = [bytes];
    for (let at = 0; at < bytes.length; ) {
      const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) throw new Error('half a frame was written');
      frames.push({
        type: bytes.readUInt8(at + 3),
        flags: bytes.readUInt8(at + 4),
        streamId: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
      });
      at = end;
    }
    return frames;
  }

  /** Code and text of the GOAWAY that came. */
  get goaway(): { readonly code: number; readonly text: string } | undefined {
    const found = this.frames.find(({ type }) => type === FrameType.Goaway);
    if (found === undefined) return undefined;
    return { code: found.payload.readUInt32BE(4), text: found.payload.toString('latin1', 8) };
  }

  answer(streamId: number): Answer {
    const decoder = new HeaderDecoder();
    const fields: Record<string, string> = {};
    const body: Buffer[] = [];
    let resetCode: number | undefined;
    let isEnded = false;
    for (const { type, flags, streamId: id, payload } of this.frames) {
      if (id !== streamId) continue;
      if (type === FrameType.RstStream) resetCode = payload.readUInt32BE(0);
      if (type === FrameType.Data) body.push(payload);
      if (type === FrameType.Headers) {
        decoder.decode(payload, 0, payload.length, ({ name, value }) => {
          fields[name] = value;
        });
      }
      if (type === FrameType.Data || type === FrameType.Headers) {
        isEnded ||= (flags & FLAG_END_STREAM) !== 0;
      }
    }
    return { fields, body: Buffer.concat(body), resetCode, isEnded };
  }
}
