import type { LogFields, Logger, LogLevel } from '../base/logger.js';
import type { Terminal } from './terminal.js';

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  dpanic: 4,
  panic: 5,
  fatal: 6,
};

/** Whether a text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return Object.hasOwn(SEVERITY, text);
}

/** etcdctl's own log: zap-like JSON lines on stderr (reference: cli 1.4). */
export class ToolLogger implements Logger {
  readonly #terminal: Terminal;
  readonly #least: LogLevel;
  readonly #name: string | undefined;
  readonly #caller: string;

  constructor(
    terminal: Terminal,
    least: LogLevel = 'info',
    name: string | undefined = undefined,
    caller = 'cli/main.ts',
  ) {
    this.#terminal = terminal;
    this.#least = least;
    this.#name = name;
    this.#caller = caller;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  fatal(message: string, fields?: LogFields): void {
    this.#write('fatal', message, fields);
  }

  named(name: string): Logger {
    return new ToolLogger(this.#terminal, this.#least, name, this.#caller);
  }

  at(caller: string): Logger {
    return new ToolLogger(this.#terminal, this.#least, this.#name, caller);
  }

  #write(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (SEVERITY[level] < SEVERITY[this.#least]) return;
    const line = {
      level,
      ts: zapTime(new Date()),
      ...(this.#name === undefined ? {} : { logger: this.#name }),
      caller: this.#caller,
      msg: message,
      ...fields,
    };
    this.#terminal.error(`${JSON.stringify(line, bigintDigits)}\n`);
  }
}

/** Ids in log lines are texts already; a stray bigint must not end the program. */
function bigintDigits(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Go's layout `2006-01-02T15:04:05.000000Z0700` in local time. */
function zapTime(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
  if (offset === 0) return `${local}000Z`;
  const minutes = Math.abs(offset);
  const pad = (value: number) => String(value).padStart(2, '0');
  return `${local}000${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}${pad(minutes % 60)}`;
}
