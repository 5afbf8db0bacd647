interface IndexWait {
  readonly index: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Those who wait until an index of the log is reached. */
export class IndexWaits {
  #waits: IndexWait[] = [];
  #closed: { readonly error: unknown } | undefined;

  wait(index: number): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error);
    return new Promise((resolve, reject) => {
      this.#waits.push({ index, resolve, reject });
    });
  }

  /** Wakes all who wait for `index` or less. */
  wake(index: number): void {
    if (this.#waits.length === 0) return;
    const waits = this.#waits;
    this.#waits = waits.filter((wait) => wait.index > index);
    for (const wait of waits) if (wait.index <= index) wait.resolve();
  }

  /** Ends all waits, now and later. */
  close(error: unknown): void {
    this.#closed ??= { error };
    const waits = this.#waits;
    this.#waits = [];
    for (const { reject } of waits) reject(error);
  }
}
