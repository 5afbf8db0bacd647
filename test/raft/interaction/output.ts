import type { LogFields, Logger } from '../../../src/base/logger.js';

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'] as const;

/** What a command prints: its own text and the log lines of the nodes, in the order they come. */
export class Output {
  #text = '';
  #level = 0;

  /** Sets the least level that is printed; NONE silences everything. Returns the previous one. */
  setLevel(name: string): string {
    const level = LEVELS.findIndex((known) => known.toLowerCase() === name.toLowerCase());
    if (level < 0) throw new Error(`log levels must be either of ${LEVELS.join(', ')}`);
    const previous = LEVELS[this.#level] ?? '';
    this.#level = level;
    return previous;
  }

  get quiet(): boolean {
    return LEVELS[this.#level] === 'NONE';
  }

  write(text: string): void {
    if (!this.quiet) this.#text += text;
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** Indents, by two spaces, what `body` prints. */
  indented(body: () => void): void {
    const outer = this.take();
    body();
    const lines = this.take().split('\n');
    if (lines.at(-1) === '') lines.pop();
    this.#text = outer + lines.map((line) => `  ${line}\n`).join('');
  }

  logger(): Logger {
    const at = (level: number) => (message: string, _fields?: LogFields) => {
      if (level >= this.#level) this.write(`${LEVELS[level]} ${message}\n`);
    };
    const logger: Logger = {
      debug: at(0),
      info: at(1),
      warn: at(2),
      error: at(3),
      fatal: at(4),
      named: () => logger,
      at: () => logger,
    };
    return logger;
  }
}
