import { onTestFinished } from 'vitest';
import { keyText } from '../../../src/base/bytes.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { Event, Event_EventType as EventType, KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import { WatchHub, type WatchHubOptions } from '../../../src/server/watch/watch-hub.js';
import type { WatchMessage, WatchStream } from '../../../src/server/watch/watch-stream.js';
import type { WatcherOptions } from '../../../src/server/watch/watcher.js';
import type { MvccStore } from '../../../src/storage/mvcc/store.js';
import { openTestStore } from '../../storage/mvcc/support.js';

export interface TestHub {
  readonly store: MvccStore;
  readonly hub: WatchHub;
  /** Lets the hub do all that it put off. */
  settle(): void;
}

/** A hub over a store in memory; both end with the running test. */
export async function openTestHub(
  options: Partial<Pick<WatchHubOptions, 'catchUpRevisions'>> = {},
): Promise<TestHub> {
  const { store, close } = await openTestStore();
  const clock = new ManualClock();
  const hub = new WatchHub({ history: store, clock, ...options });
  store.setChangeListener((change) => hub.notify(change));
  onTestFinished(async () => {
    hub.close();
    await close();
  });
  return { store, hub, settle: () => clock.advance(0) };
}

export type Watched = Partial<Omit<WatcherOptions, 'key' | 'range'>> & {
  readonly id?: bigint;
  /** End of the range; `\0`: all keys from `key` on. */
  readonly end?: string;
};

/** Creates a watcher as the service would. */
export function watch(stream: WatchStream, key: string, options: Watched = {}): void {
  const { id = 0n, end, ...rest } = options;
  stream.create(id, {
    key: keyText(Buffer.from(key, 'latin1')),
    range: end === undefined ? 'key' : { end: end === '\0' ? undefined : end },
    startRevision: 0,
    excludesPuts: false,
    excludesDeletes: false,
    wantsPreviousValues: false,
    wantsFragments: false,
    wantsProgress: false,
    ...rest,
  });
}

/** `PUT key=value@revision`, `DELETE key@revision`, with ` was value` for a previous value. */
export function showEvent(bytes: Uint8Array): string {
  const { type, kv = KeyValue.create(), prevKv } = Event.decode(bytes);
  const { key, value, modRevision } = kv;
  const was = prevKv === undefined ? '' : ` was ${prevKv.value}`;
  if (type === EventType.DELETE) return `DELETE ${key}@${modRevision}${was}`;
  return `PUT ${key}=${value}@${modRevision}${was}`;
}

/** What waits in a stream, taken out: kind, watcher, header revision and events in one line. */
export function drain(stream: WatchStream): string[] {
  const lines: string[] = [];
  for (let message = stream.take(); message !== undefined; message = stream.take()) {
    lines.push(showMessage(message));
  }
  return lines;
}

function showMessage(message: WatchMessage): string {
  const { watchId, revision, created, canceled, compactRevision, cancelReason, events } = message;
  const parts = [
    ...(created ? ['created'] : []),
    ...(canceled ? ['canceled'] : []),
    `#${watchId}`,
    `r=${revision}`,
    ...(compactRevision === 0 ? [] : [`compacted=${compactRevision}`]),
    ...(cancelReason === '' ? [] : [`(${cancelReason})`]),
    ...events.events.map(showEvent),
  ];
  return parts.join(' ');
}
