/**
 * What the index knows of one key: its generations (reference: semantics 3.2). A generation begins
 * with a put and is closed by a tombstone, after which a new, empty one is open. Most keys have one
 * revision in one open generation and are held as a {@link SingleRevision}; a second change makes a
 * {@link KeyHistory} of it, and a compaction may turn that back.
 */
export type KeyRecord = SingleRevision | KeyHistory;

/** A key that was put and has no other revision: four numbers. */
export class SingleRevision {
  readonly main: number;
  readonly sub: number;
  /** Main revision of the first put of the generation. */
  readonly created: number;
  /** Puts of the generation so far, compacted ones included. */
  readonly version: number;

  constructor(main: number, sub: number, created: number, version: number) {
    this.main = main;
    this.sub = sub;
    this.created = created;
    this.version = version;
  }
}

/** One life of a key. */
export class Generation {
  /** Main revision of the first put; 0 while the generation is empty. */
  created = 0;
  /** Changes so far, compacted ones included. */
  version = 0;
  /** main and sub of each revision in turn, ascending. */
  revisions: number[] = [];

  get isEmpty(): boolean {
    return this.revisions.length === 0;
  }

  /** Main revision of the last change; only of a generation that is not empty. */
  get lastMain(): number {
    return this.revisions[this.revisions.length - 2] as number;
  }

  append(main: number, sub: number): void {
    if (this.revisions.length === 0) {
      this.created = main;
    }
    this.revisions.push(main, sub);
    this.version++;
  }

  /** The number of the largest revision whose main is not above `atRevision`; -1 if there is none. */
  positionAt(atRevision: number): number {
    const { revisions } = this;
    let low = 0;
    let high = revisions.length >>> 1;
    // Most reads are at the newest revision.
    if (high > 0 && (revisions[2 * high - 2] as number) <= atRevision) {
      return high - 1;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((revisions[2 * middle] as number) <= atRevision) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }

  /** Forgets what is older than the revision at `atRevision`; false if there is none so old. */
  forgetBefore(atRevision: number): boolean {
    const position = this.positionAt(atRevision);
    if (position > 0) {
      this.revisions = this.revisions.slice(2 * position);
    }
    return position >= 0;
  }
}

/** Where a look-up leaves what it found, so that it allocates nothing. */
export class VisibleRevision {
  main = 0;
  sub = 0;
  created = 0;
  version = 0;
}

/** A key with more than one revision. The last generation is open and may be empty. */
export class KeyHistory {
  generations: Generation[];

  constructor(generations: Generation[]) {
    this.generations = generations;
  }

  static of(record: SingleRevision): KeyHistory {
    const generation = new Generation();
    generation.created = record.created;
    generation.version = record.version;
    generation.revisions.push(record.main, record.sub);
    return new KeyHistory([generation]);
  }

  /** A key of which only a tombstone is left. */
  static ofTombstone(main: number, sub: number): KeyHistory {
    const closed = new Generation();
    closed.version = 1;
    closed.revisions.push(main, sub);
    return new KeyHistory([closed, new Generation()]);
  }

  get open(): Generation {
    return this.generations[this.generations.length - 1] as Generation;
  }

  /** Whether the newest change is a put. */
  get isLive(): boolean {
    return !this.open.isEmpty;
  }

  /** The revision visible at `atRevision`, into `found`; false if the key was absent. */
  lookUp(atRevision: number, found: VisibleRevision): boolean {
    const last = this.generations.length - 1;
    for (let i = last; i >= 0; i--) {
      const generation = this.generations[i] as Generation;
      if (generation.isEmpty) {
        continue;
      }
      if (i !== last && generation.lastMain <= atRevision) {
        return false;
      }
      const position = generation.positionAt(atRevision);
      if (position >= 0) {
        found.main = generation.revisions[2 * position] as number;
        found.sub = generation.revisions[2 * position + 1] as number;
        found.created = generation.created;
        found.version = generation.version - (generation.revisions.length / 2 - position - 1);
        return true;
      }
    }
    return false;
  }

  /** Closes the open generation; false if there is nothing to delete. */
  tombstone(main: number, sub: number): boolean {
    const { open } = this;
    if (open.isEmpty) {
      return false;
    }
    open.append(main, sub);
    this.generations.push(new Generation());
    return true;
  }

  /**
   * Forgets what a compaction at `atRevision` removes. Returns whether a revision at or below it
   * is left, which the rows of the backend then must keep.
   *
   * Trap: a generation whose tombstone is exactly at `atRevision` survives as that tombstone alone,
   * so that a watch from there still sees the deletion; a later compaction removes it.
   */
  compact(atRevision: number): boolean {
    const { generations } = this;
    const last = generations.length - 1;
    let chosen = 0;
    while (chosen < last && (generations[chosen] as Generation).lastMain < atRevision) {
      chosen++;
    }
    const isRetained = (generations[chosen] as Generation).forgetBefore(atRevision);
    // A key deleted and put again in the compacted revision itself goes on in the next generation.
    for (let i = chosen + 1; i <= last; i++) {
      (generations[i] as Generation).forgetBefore(atRevision);
    }
    if (chosen > 0) {
      this.generations = generations.slice(chosen);
    }
    return isRetained;
  }

  /** Whether nothing is left of the key. */
  get isGone(): boolean {
    return this.generations.length === 1 && this.open.isEmpty;
  }

  /** The small form of this history, if one revision in an open generation is all there is. */
  get single(): SingleRevision | undefined {
    const { open } = this;
    if (this.generations.length !== 1 || open.revisions.length !== 2) {
      return undefined;
    }
    const [main, sub] = open.revisions as [number, number];
    return new SingleRevision(main, sub, open.created, open.version);
  }

  /** Whether (main, sub) is one of the revisions held. */
  contains(main: number, sub: number): boolean {
    for (const { revisions } of this.generations) {
      for (let i = lowestFrom(revisions, main); i < revisions.length; i += 2) {
        if (revisions[i] !== main) {
          break;
        }
        if (revisions[i + 1] === sub) {
          return true;
        }
      }
    }
    return false;
  }
}

/** Index of the first pair whose main is not below `main`. */
function lowestFrom(revisions: readonly number[], main: number): number {
  let low = 0;
  let high = revisions.length >>> 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((revisions[2 * middle] as number) < main) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 2 * low;
}
