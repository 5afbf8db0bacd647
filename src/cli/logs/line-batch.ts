/** Text that is collected before it is written, characters. */
const BATCH_CHARACTERS = 1 << 18;

/** Collects lines and writes them in larger pieces; who adds too fast has to wait. */
export class LineBatch {
  readonly #write: (text: string) => Promise<void>;
  #waiting: string[] = [];
  #characters = 0;

  constructor(write: (text: string) => Promise<void>) {
    this.#write = write;
  }

  /** Adds a line without its newline; a promise if it is time to write. */
  add(line: string): Promise<void> | undefined {
    this.#waiting.push(line, '\n');
    this.#characters += line.length + 1;
    return this.#characters < BATCH_CHARACTERS ? undefined : this.flush();
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join('');
    this.#waiting = [];
    this.#characters = 0;
    await this.#write(text);
  }
}
