/** How a queue tells its producer to pause and to go on, and its consumer's leaving. */
export interface QueueHooks {
  /** The number of waiting items has reached the bound. */
  readonly onFull?: () => void;
  /** The items have been taken after the queue was full. */
  readonly onDrained?: () => void;
  /** The consumer stopped before the end. */
  readonly onAbandoned?: () => void;
}

/**
 * Items from a producer that cannot wait to one consumer that iterates. The bound is soft: items
 * that were under way when `onFull` was called are still taken.
 */
export class AsyncQueue<Item> implements AsyncIterableIterator<Item> {
  private readonly bound: number;
  private readonly hooks: QueueHooks;
  private items: Item[] = [];
  private taken = 0;
  private full = false;
  private ended = false;
  private failure: unknown;
  private waiting:
    | { resolve: (result: IteratorResult<Item>) => void; reject: (error: unknown) => void }
    | undefined;

  constructor(bound: number, hooks: QueueHooks = {}) {
    this.bound = bound;
    this.hooks = hooks;
  }

  /** How many items wait. */
  get size(): number {
    return this.items.length - this.taken;
  }

  /** Adds an item; after the end it is dropped. */
  push(item: Item): void {
    if (this.ended) {
      return;
    }
    if (this.waiting !== undefined) {
      const { resolve } = this.waiting;
      this.waiting = undefined;
      resolve({ done: false, value: item });
      return;
    }
    this.items.push(item);
    if (!this.full && this.size >= this.bound) {
      this.full = true;
      this.hooks.onFull?.();
    }
  }

  /** No more items; the consumer gets those that wait, then the error if there is one. */
  end(error?: unknown): void {
    if (this.ended) {
      return;
    }
    this.ended = true;
    this.failure = error;
    // Nothing more will come, so nobody needs to be held back for this queue.
    this.noLongerFull();
    if (this.waiting !== undefined) {
      const { resolve, reject } = this.waiting;
      this.waiting = undefined;
      if (error === undefined) {
        resolve({ done: true, value: undefined });
      } else {
        this.failure = undefined;
        reject(error);
      }
    }
  }

  next(): Promise<IteratorResult<Item>> {
    if (this.taken < this.items.length) {
      return Promise.resolve({ done: false, value: this.take() });
    }
    if (this.ended) {
      const error = this.failure;
      this.failure = undefined;
      return error === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(error);
    }
    if (this.waiting !== undefined) {
      return Promise.reject(new Error('one consumer at a time'));
    }
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<Item>> {
    if (!this.ended) {
      this.end();
      this.hooks.onAbandoned?.();
    }
    this.items = [];
    this.taken = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Item> {
    return this;
  }

  private take(): Item {
    const item = this.items[this.taken] as Item;
    this.taken++;
    if (this.taken === this.items.length) {
      this.items = [];
      this.taken = 0;
      this.noLongerFull();
    }
    return item;
  }

  private noLongerFull(): void {
    if (this.full) {
      this.full = false;
      this.hooks.onDrained?.();
    }
  }
}
