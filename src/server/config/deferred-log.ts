import type { LogFields, LogLevel } from '../../base/logger.js';

/** A log line from before the configured logger exists; the caller prints it when it does. */
export interface DeferredLog {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: LogFields;
}
