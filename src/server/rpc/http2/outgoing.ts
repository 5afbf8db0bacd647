import type { Socket } from 'node:net';
import { EMPTY_BYTES } from '../../../base/bytes.js';
import { SOCKET_FULL_BYTES } from './limits.js';

/** Frames are composed in memory of this size, which then goes to the socket as it is. */
const SLAB_BYTES = 16 * 1024;
/** Payloads from this size on are passed to the socket where they are, instead of being copied. */
const REFERENCE_BYTES = 4 * 1024;

/**
 * What leaves a connection. Everything written in one turn of the event loop is collected and
 * handed to the socket at once, when `onTurnEnd` calls {@link flush}.
 */
export class Outgoing {
  readonly #socket: Socket;
  readonly #onTurnEnd: () => void;
  #slab: Buffer = EMPTY_BYTES;
  #from = 0;
  #end = 0;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #isScheduled = false;

  constructor(socket: Socket, onTurnEnd: () => void) {
    this.#socket = socket;
    this.#onTurnEnd = onTurnEnd;
  }

  /** Octets that the kernel has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#pieceBytes + this.#end - this.#from;
  }

  /** Data should wait in its stream; the socket emits `drain` when there is room again. */
  get isFull(): boolean {
    return this.waitingBytes >= SOCKET_FULL_BYTES;
  }

  /** Where to write what {@link reserve} made room for. */
  get slab(): Buffer {
    return this.#slab;
  }

  /** Until {@link flush}, whoever calls this promises to call that. */
  hold(): void {
    this.#isScheduled = true;
  }

  /** Makes room for `bytes` (at most half a slab) and returns their place in {@link slab}. */
  reserve(bytes: number): number {
    if (this.#slab.length - this.#end < bytes) this.#renewSlab(bytes);
    const at = this.#end;
    this.#end = at + bytes;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#onTurnEnd);
    }
    return at;
  }

  /** Appends octets `start` to `end`; they must not change any more. */
  append(bytes: Buffer, start: number, end: number): void {
    if (end - start < REFERENCE_BYTES) {
      const at = this.reserve(end - start);
      bytes.copy(this.#slab, at, start, end);
      return;
    }
    this.reserve(0);
    this.#cut();
    this.#add(bytes.subarray(start, end));
  }

  flush(): void {
    this.#isScheduled = false;
    this.#cut();
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    this.#pieces = [];
    this.#pieceBytes = 0;
    const socket = this.#socket;
    if (!socket.writable) return;
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined) {
      socket.write(first);
      return;
    }
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  #renewSlab(bytes: number): void {
    this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
    this.#from = 0;
    this.#end = 0;
  }

  /** Ends the run of octets in the slab. */
  #cut(): void {
    if (this.#end === this.#from) return;
    this.#add(this.#slab.subarray(this.#from, this.#end));
    this.#from = this.#end;
  }

  #add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
  }
}
