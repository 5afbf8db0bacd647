/** Things of which one user at a time has each; who comes when all are taken waits in line. */
export class Pool<Item> {
  readonly #free: Item[];
  readonly #waiting: ((item: Item) => void)[] = [];

  constructor(items: readonly Item[]) {
    this.#free = [...items];
  }

  /** Calls `use` with an item that is nobody else's until it ends. */
  async with<Result>(use: (item: Item) => Promise<Result>): Promise<Result> {
    const item = await this.#take();
    try {
      return await use(item);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(item);
      else next(item);
    }
  }

  #take(): Promise<Item> {
    const item = this.#free.pop();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
