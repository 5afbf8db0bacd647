import type { Timer } from '../platform/clock.js';
import { GrpcCode, isEtcdError, RpcError } from '../proto/errors.js';
import type { WatchRequest, WatchResponse } from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import type { Caller, StreamCall } from './caller.js';
import { isHaltError } from './halt.js';
import { Watcher, type WatchOptions } from './watcher.js';

const REOPEN_MIN_MILLIS = 1;
const REOPEN_FACTOR = 1.25;
const REOPEN_MAX_MILLIS = 100;

/** etcdserverpb.Watch: any number of watches over one stream for each kind of leader demand. */
export class WatchClient {
  private readonly caller: Caller;
  private readonly streams = new Map<boolean, WatchStream>();
  private closed = false;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  watch(options: WatchOptions): Watcher {
    const stream = this.stream(options.requireLeader === true);
    return stream.add(options);
  }

  /**
   * Asks how far the watches of one stream have come; each of them gets the answer as an update
   * without events. No answer comes while one of them is behind (reference: api 13.4).
   */
  requestProgress(requireLeader = false): void {
    this.stream(requireLeader).requestProgress();
  }

  close(): void {
    this.closed = true;
    for (const stream of this.streams.values()) {
      stream.close();
    }
  }

  private stream(requireLeader: boolean): WatchStream {
    let stream = this.streams.get(requireLeader);
    if (stream === undefined) {
      stream = new WatchStream(this.caller, requireLeader);
      this.streams.set(requireLeader, stream);
      if (this.closed) {
        stream.close();
      }
    }
    return stream;
  }
}

/** One Watch stream, opened again whenever it breaks for a passing reason. */
class WatchStream {
  private readonly caller: Caller;
  private readonly requireLeader: boolean;
  private readonly active = new Map<bigint, Watcher>();
  /** Watches not created yet. With an open stream the first one's request is under way. */
  private pending: Watcher[] = [];
  private createUnderWay = false;
  private call: StreamCall<WatchRequest> | undefined;
  private opening = false;
  private progressWanted = false;
  private fullWatchers = 0;
  private reopenMillis = REOPEN_MIN_MILLIS;
  private reopenTimer: Timer | undefined;
  private closed = false;

  constructor(caller: Caller, requireLeader: boolean) {
    this.caller = caller;
    this.requireLeader = requireLeader;
  }

  add(options: WatchOptions): Watcher {
    const watcher = new Watcher(options, {
      onFull: () => this.onFull(),
      onDrained: () => this.onDrained(),
      onAbandoned: (abandoned) => this.remove(abandoned),
    });
    if (this.closed) {
      watcher.finish();
      return watcher;
    }
    this.pending.push(watcher);
    this.open();
    this.createNext();
    return watcher;
  }

  requestProgress(): void {
    this.progressWanted = true;
    this.sendProgressRequest();
  }

  /**
   * Trap: etcd may tell progress before it tells that a watcher was created; there would be nobody
   * to hear of it. So the request waits for the creations.
   */
  private sendProgressRequest(): void {
    if (this.call === undefined || !this.progressWanted || this.pending.length > 0) return;
    this.progressWanted = false;
    this.call.send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  close(): void {
    this.closed = true;
    this.endAll((watcher) => watcher.finish());
    this.release();
  }

  private open(): void {
    if (this.call !== undefined || this.opening || this.reopenTimer !== undefined) {
      return;
    }
    this.opening = true;
    const listener = {
      onMessage: (response: WatchResponse) => this.onMessage(response),
      onClose: (error: RpcError | undefined) => this.onBroken(error),
    };
    const options = { requireLeader: this.requireLeader };
    this.caller.bidiStream(SERVICES.watch.watch, options, listener).then(
      (call) => this.onOpened(call),
      (error: unknown) =>
        this.onBroken(
          error instanceof RpcError ? error : new RpcError(GrpcCode.Unknown, String(error)),
        ),
    );
  }

  private onOpened(call: StreamCall<WatchRequest>): void {
    this.opening = false;
    this.call = call;
    if (this.closed || this.isIdle) {
      this.release();
      return;
    }
    if (this.fullWatchers > 0) {
      call.pause();
    }
    this.createNext();
    this.sendProgressRequest();
  }

  /** Creations go one at a time, because a refusal does not say which watch it is for. */
  private createNext(): void {
    const [watcher] = this.pending;
    if (this.call === undefined || this.createUnderWay || watcher === undefined) {
      return;
    }
    this.createUnderWay = true;
    this.call.send({ requestUnion: { $case: 'createRequest', value: watcher.createRequest() } });
  }

  private onMessage(response: WatchResponse): void {
    this.reopenMillis = REOPEN_MIN_MILLIS;
    if (response.created) {
      this.onCreated(response);
    } else if (response.watchId === PROGRESS_FOR_ALL) {
      for (const watcher of this.active.values()) {
        watcher.take(response);
      }
    } else {
      this.onUpdate(response);
    }
  }

  private onCreated(response: WatchResponse): void {
    const watcher = this.pending.shift();
    this.createUnderWay = false;
    if (watcher === undefined) {
      return;
    }
    if (response.canceled) {
      watcher.reject(response);
    } else if (watcher.isOver) {
      this.cancelOnServer(response.watchId);
    } else {
      this.active.set(response.watchId, watcher);
      watcher.accept(response);
    }
    this.createNext();
    this.releaseIfIdle();
    this.sendProgressRequest();
  }

  private onUpdate(response: WatchResponse): void {
    const watcher = this.active.get(response.watchId);
    if (watcher === undefined) {
      return;
    }
    watcher.take(response);
    if (response.canceled) {
      this.active.delete(response.watchId);
      if (response.compactRevision !== 0) {
        // Trap: the server keeps the id registered, and no progress is told on the stream, until
        // the client cancels it too (reference: semantics 6).
        this.cancelOnServer(response.watchId);
      }
      this.releaseIfIdle();
    }
  }

  private remove(watcher: Watcher): void {
    for (const [id, candidate] of this.active) {
      if (candidate === watcher) {
        this.active.delete(id);
        this.cancelOnServer(id);
      }
    }
    // A creation that is under way stays in line so that its answer finds it.
    this.pending = this.pending.filter(
      (candidate, index) => candidate !== watcher || (index === 0 && this.createUnderWay),
    );
    this.releaseIfIdle();
  }

  private cancelOnServer(watchId: bigint): void {
    this.call?.send({ requestUnion: { $case: 'cancelRequest', value: { watchId } } });
  }

  private onBroken(error: RpcError | undefined): void {
    this.opening = false;
    this.call = undefined;
    this.createUnderWay = false;
    this.pending = this.pending.filter((watcher) => !watcher.isOver);
    if (this.closed || this.isIdle) {
      return;
    }
    if (error !== undefined && (isHaltError(error) || isEtcdError(error, 'NoLeader'))) {
      this.endAll((watcher) => watcher.fail(error));
      return;
    }
    this.pending = [...this.active.values(), ...this.pending];
    this.active.clear();
    this.reopenLater();
  }

  private reopenLater(): void {
    const pause = this.reopenMillis;
    this.reopenMillis = Math.min(pause * REOPEN_FACTOR, REOPEN_MAX_MILLIS);
    this.reopenTimer = this.caller.clock.setTimer(pause, () => {
      this.reopenTimer = undefined;
      this.open();
    });
  }

  private endAll(end: (watcher: Watcher) => void): void {
    const watchers = [...this.active.values(), ...this.pending];
    this.active.clear();
    this.pending = [];
    for (const watcher of watchers) {
      if (!watcher.isOver) {
        end(watcher);
      }
    }
  }

  private get isIdle(): boolean {
    return this.active.size === 0 && this.pending.length === 0;
  }

  private releaseIfIdle(): void {
    if (this.isIdle) {
      this.release();
    }
  }

  private release(): void {
    this.reopenTimer?.cancel();
    this.reopenTimer = undefined;
    this.call?.cancel();
    this.call = undefined;
    this.createUnderWay = false;
  }

  private onFull(): void {
    this.fullWatchers++;
    this.call?.pause();
  }

  private onDrained(): void {
    this.fullWatchers--;
    if (this.fullWatchers === 0) {
      this.call?.resume();
    }
  }
}

/** Watch id of a progress answer that concerns every watch of the stream. */
const PROGRESS_FOR_ALL = -1n;
