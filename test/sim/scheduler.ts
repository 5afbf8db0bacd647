/** Something that is going to happen. */
interface PendingEvent {
  due: number;
  /** Events due at the same time happen in the order in which they were scheduled. */
  order: number;
  readonly owner: Owner;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Whom an event happens to. */
export interface Owner {
  /** Nothing happens to the dead. */
  readonly isDead: boolean;
  /** Virtual ms; what is due before waits until then. */
  readonly pausedUntil: number;
}

/** The owner of what happens to nobody in particular. */
export const WORLD: Owner = { isDead: false, pausedUntil: 0 };

export interface Cancellable {
  cancel(): void;
}

/**
 * The one queue of all that happens in a simulated world, on a virtual clock. Between two events all
 * promises settle, as between two callbacks of Node's event loop, so a run depends on nothing but
 * what was put into the queue.
 */
export class Scheduler {
  readonly #heap: PendingEvent[] = [];
  #now = 0;
  #order = 0;
  #steps = 0;
  #failure: { readonly error: unknown } | undefined;
  /** Told after each event, when all has settled, to whom it happened. */
  afterStep: (owner: Owner) => void = () => {};

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Events so far. */
  get steps(): number {
    return this.#steps;
  }

  schedule(delayMillis: number, owner: Owner, callback: () => void): Cancellable {
    const event: PendingEvent = {
      due: this.#now + Math.max(0, delayMillis),
      order: this.#order++,
      owner,
      callback,
      cancelled: false,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  /** Resolves after that time. */
  sleep(delayMillis: number, owner: Owner = WORLD): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(delayMillis, owner, resolve);
    });
  }

  /** Ends the run with an error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /**
   * Lets things happen until the promise is settled, and returns its result.
   * @throws what was given to {@link fail}, or an Error if nothing is left that could happen
   */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    work.then(settle, settle);
    await this.#loop(() => isSettled);
    return work;
  }

  #loop(isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let last: Owner | undefined;
      const step = (): void => {
        try {
          if (last !== undefined) this.afterStep(last);
          if (this.#failure !== undefined) throw this.#failure.error;
          if (isDone()) {
            resolve();
            return;
          }
          last = this.#fireNext();
        } catch (error) {
          reject(error);
          return;
        }
        // A tick runs after all microtasks, those that microtasks add included.
        queueMicrotask(next);
      };
      const next = (): void => process.nextTick(step);
      next();
    });
  }

  #fireNext(): Owner {
    for (let event = this.#pop(); event !== undefined; event = this.#pop()) {
      const { owner } = event;
      if (event.cancelled || owner.isDead) continue;
      if (owner.pausedUntil > event.due) {
        event.due = owner.pausedUntil;
        event.order = this.#order++;
        this.#push(event);
        continue;
      }
      this.#now = Math.max(this.#now, event.due);
      this.#steps++;
      event.callback();
      return owner;
    }
    throw new Error('nothing is left that could happen');
  }

  #push(event: PendingEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as PendingEvent;
      if (isBefore(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): PendingEvent | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return top;
  }

  #sink(event: PendingEvent): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as PendingEvent, heap[child] as PendingEvent))
        child = right;
      const below = heap[child] as PendingEvent;
      if (isBefore(event, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = event;
  }
}

function isBefore(a: PendingEvent, b: PendingEvent): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
