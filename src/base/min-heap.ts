/** A binary min-heap of items ordered by a number. */
export class MinHeap<Item> {
  readonly #items: Item[] = [];
  readonly #priorities: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The smallest priority, or undefined if the heap is empty. */
  peekPriority(): number | undefined {
    return this.#priorities[0];
  }

  push(item: Item, priority: number): void {
    let position = this.#items.length;
    this.#items.push(item);
    this.#priorities.push(priority);
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if ((this.#priorities[parent] as number) <= priority) break;
      this.#move(parent, position);
      position = parent;
    }
    this.#items[position] = item;
    this.#priorities[position] = priority;
  }

  /** Removes the item with the smallest priority. */
  pop(): Item | undefined {
    const top = this.#items[0];
    const lastItem = this.#items.pop();
    const lastPriority = this.#priorities.pop();
    if (this.#items.length > 0 && lastPriority !== undefined) {
      this.#sinkFromTop(lastItem as Item, lastPriority);
    }
    return top;
  }

  /** Removes the items that `keep` refuses; takes time in proportion to the size. */
  retain(keep: (item: Item) => boolean): void {
    const items = this.#items.splice(0);
    const priorities = this.#priorities.splice(0);
    items.forEach((item, position) => {
      if (keep(item)) this.push(item, priorities[position] as number);
    });
  }

  clear(): void {
    this.#items.length = 0;
    this.#priorities.length = 0;
  }

  #sinkFromTop(item: Item, priority: number): void {
    const size = this.#items.length;
    let position = 0;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= size) break;
      const right = child + 1;
      if (
        right < size &&
        (this.#priorities[right] as number) < (this.#priorities[child] as number)
      ) {
        child = right;
      }
      if ((this.#priorities[child] as number) >= priority) break;
      this.#move(child, position);
      position = child;
    }
    this.#items[position] = item;
    this.#priorities[position] = priority;
  }

  #move(from: number, to: number): void {
    this.#items[to] = this.#items[from] as Item;
    this.#priorities[to] = this.#priorities[from] as number;
  }
}
