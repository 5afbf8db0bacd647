import type { Logger } from '../../base/logger.js';

/** What Raft says of a report of storage that a later one has come before. */
const LATE_REPORT = /^entry at index \d+ missing from unstable log; ignoring$/;

/**
 * A logger for Raft. A report of storage that tells nothing new is worth a line to etcd, which has
 * one write under way at a time and so never gets one. Here several are, and under load there would
 * be a line for every other write: it goes to the debug level.
 */
export function raftLogger(logger: Logger): Logger {
  const wrap = (inner: Logger): Logger => ({
    debug: (message, fields) => inner.debug(message, fields),
    info: (message, fields) => {
      if (LATE_REPORT.test(message)) inner.debug(message, fields);
      else inner.info(message, fields);
    },
    warn: (message, fields) => inner.warn(message, fields),
    error: (message, fields) => inner.error(message, fields),
    fatal: (message, fields) => inner.fatal(message, fields),
    named: (name) => wrap(inner.named(name)),
    at: (caller) => wrap(inner.at(caller)),
  });
  return wrap(logger.named('raft').at('raft/raft.ts'));
}
