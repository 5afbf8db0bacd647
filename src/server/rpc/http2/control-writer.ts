import {
  FLAG_ACK,
  FRAME_HEADER_BYTES,
  FrameType,
  type Http2Code,
  Setting,
  writeFrameHeader,
} from '../../../base/http2/frames.js';
import { MAX_HEADER_LIST_BYTES, STREAM_WINDOW_BYTES } from './limits.js';
import type { Outgoing } from './outgoing.js';

const SETTING_BYTES = 6;
const PING_BYTES = 8;
/** Longest text that goes along with a GOAWAY, octets. */
const MAX_DEBUG_BYTES = 256;

/** Writes the frames that carry no part of a call. */
export class ControlWriter {
  readonly #outgoing: Outgoing;

  constructor(outgoing: Outgoing) {
    this.#outgoing = outgoing;
  }

  settings(maxConcurrentStreams: number): void {
    const settings: [setting: number, value: number][] = [
      [Setting.MaxConcurrentStreams, maxConcurrentStreams],
      [Setting.InitialWindowSize, STREAM_WINDOW_BYTES],
      [Setting.MaxHeaderListSize, MAX_HEADER_LIST_BYTES],
    ];
    let at = this.#frame(settings.length * SETTING_BYTES, FrameType.Settings, 0, 0);
    const { slab } = this.#outgoing;
    for (const [setting, value] of settings) {
      slab.writeUInt16BE(setting, at);
      slab.writeUInt32BE(value, at + 2);
      at += SETTING_BYTES;
    }
  }

  settingsAck(): void {
    this.#frame(0, FrameType.Settings, FLAG_ACK, 0);
  }

  ping(): void {
    const at = this.#frame(PING_BYTES, FrameType.Ping, 0, 0);
    this.#outgoing.slab.fill(0, at, at + PING_BYTES);
  }

  pingAck(bytes: Buffer, start: number): void {
    const at = this.#frame(PING_BYTES, FrameType.Ping, FLAG_ACK, 0);
    bytes.copy(this.#outgoing.slab, at, start, start + PING_BYTES);
  }

  windowUpdate(streamId: number, increment: number): void {
    const at = this.#frame(4, FrameType.WindowUpdate, 0, streamId);
    this.#outgoing.slab.writeUInt32BE(increment, at);
  }

  reset(streamId: number, code: Http2Code): void {
    const at = this.#frame(4, FrameType.RstStream, 0, streamId);
    this.#outgoing.slab.writeUInt32BE(code, at);
  }

  goaway(lastStreamId: number, code: Http2Code, debug: string): void {
    const text = Buffer.from(debug).subarray(0, MAX_DEBUG_BYTES);
    const at = this.#frame(8 + text.length, FrameType.Goaway, 0, 0);
    const { slab } = this.#outgoing;
    slab.writeUInt32BE(lastStreamId, at);
    slab.writeUInt32BE(code, at + 4);
    text.copy(slab, at + 8);
  }

  #frame(payloadBytes: number, type: number, flags: number, streamId: number): number {
    const at = this.#outgoing.reserve(FRAME_HEADER_BYTES + payloadBytes);
    return writeFrameHeader(this.#outgoing.slab, at, payloadBytes, type, flags, streamId);
  }
}
