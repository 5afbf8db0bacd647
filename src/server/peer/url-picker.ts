/** Which URL of a peer to try. All that talk to the peer share the choice. */
export class UrlPicker {
  #urls: readonly string[];
  #picked = 0;

  /** @param urls at least one */
  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  update(urls: readonly string[]): void {
    this.#urls = urls;
    this.#picked = 0;
  }

  pick(): string {
    const url = this.#urls[this.#picked];
    if (url === undefined) throw new RangeError('a peer without URLs');
    return url;
  }

  /** Goes on to the next URL, if that one is still the choice. */
  unreachable(url: string): void {
    if (url === this.#urls[this.#picked]) this.#picked = (this.#picked + 1) % this.#urls.length;
  }
}
