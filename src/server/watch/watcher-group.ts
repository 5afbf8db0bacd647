import type { KeyText } from '../../base/bytes.js';
import { IntervalTree, type KeyRange } from './interval-tree.js';
import type { Watcher } from './watcher.js';

/** The watchers of exactly the same key or range: they see the same events. */
export interface SameRange extends KeyRange {
  readonly watchers: Set<Watcher>;
}

/** Watchers found by the keys they watch: single keys in a map, ranges in an interval tree. */
export class WatcherGroup {
  readonly #byKey = new Map<KeyText, SameRange>();
  readonly #byRange = new Map<string, SameRange>();
  readonly #tree = new IntervalTree<SameRange>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0 && this.#byRange.size === 0;
  }

  add(watcher: Watcher): void {
    this.#groupOf(watcher).watchers.add(watcher);
  }

  remove(watcher: Watcher): void {
    const { key, range } = watcher.options;
    const groups = range === 'key' ? this.#byKey : this.#byRange;
    const name = range === 'key' ? key : rangeName(key, range.end);
    const group = groups.get(name);
    if (group === undefined) return;
    group.watchers.delete(watcher);
    if (group.watchers.size > 0) return;
    groups.delete(name);
    if (range !== 'key') this.#tree.remove(group);
  }

  /** Calls `visit` for each set of watchers that `key` concerns. */
  forKey(key: KeyText, visit: (group: SameRange) => void): void {
    const exact = this.#byKey.get(key);
    if (exact !== undefined) visit(exact);
    if (this.#byRange.size > 0) this.#tree.stab(key, visit);
  }

  forEachWatcher(visit: (watcher: Watcher) => void): void {
    for (const groups of [this.#byKey, this.#byRange]) {
      for (const group of groups.values()) group.watchers.forEach(visit);
    }
  }

  #groupOf(watcher: Watcher): SameRange {
    const { key, range } = watcher.options;
    if (range === 'key') {
      let group = this.#byKey.get(key);
      if (group === undefined) {
        group = { start: key, end: undefined, watchers: new Set() };
        this.#byKey.set(key, group);
      }
      return group;
    }
    const name = rangeName(key, range.end);
    let group = this.#byRange.get(name);
    if (group === undefined) {
      group = { start: key, end: range.end, watchers: new Set() };
      this.#byRange.set(name, group);
      this.#tree.insert(group);
    }
    return group;
  }
}

/** Unambiguous for any keys: the length tells where the start ends. */
function rangeName(start: KeyText, end: KeyText | undefined): string {
  return `${start.length}:${start}${end === undefined ? '' : `|${end}`}`;
}
