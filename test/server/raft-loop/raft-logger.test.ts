import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { raftLogger } from '../../../src/server/raft-loop/raft-logger.js';

describe("Raft's logger", () => {
  it('keeps reports that come late out of the log, and nothing else', () => {
    const lines: string[] = [];
    const logger = raftLogger({
      ...silentLogger,
      debug: (message) => lines.push(`debug ${message}`),
      info: (message) => lines.push(`info ${message}`),
      named() {
        return this;
      },
      at() {
        return this;
      },
    });
    const late = 'entry at index 7 missing from unstable log; ignoring';
    logger.info(late);
    logger.named('other').at('file.ts').info(late);
    logger.info('7 became leader at term 2');
    expect(lines).toEqual([`debug ${late}`, `debug ${late}`, 'info 7 became leader at term 2']);
  });
});
