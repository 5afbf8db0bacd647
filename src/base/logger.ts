/** Levels in rising order of severity. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'dpanic' | 'panic' | 'fatal';

/** Fields of a log line, printed in insertion order. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. Logging never throws and never ends the process. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  /** The same sink under a logger name (`raft`), printed as `logger`. */
  named(name: string): Logger;
  /** The same sink for another source file (`wal/writer.ts`), printed as `caller`. */
  at(caller: string): Logger;
}

const ignore = (): void => {};

/** Discards every line. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
  named: () => silentLogger,
  at: () => silentLogger,
};
