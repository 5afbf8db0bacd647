import { afterEach, describe, expect, it } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/logger.js';
import { Client } from '../../../src/client/client.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';

/** A logger that hands out the fields of one message, from the first line on. */
class WaitingLog {
  readonly logger: Logger;
  readonly #lines: LogFields[] = [];
  #wake: () => void = () => {};

  constructor(wanted: string) {
    const info = (message: string, fields: LogFields = {}): void => {
      if (message !== wanted) return;
      this.#lines.push(fields);
      this.#wake();
    };
    this.logger = { ...silentLogger, info, at: () => this.logger, named: () => this.logger };
  }

  async next(): Promise<LogFields> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

describe('a server with auto-compaction', () => {
  let server: TestEtcd | undefined;
  let client: Client | undefined;

  afterEach(async () => {
    client?.close();
    await server?.stop();
  });

  it('forgets what is older than the period', async () => {
    const log = new WaitingLog('completed auto periodic compaction');
    server = await startEtcd({
      flags: ['--auto-compaction-mode=periodic', '--auto-compaction-retention=300ms'],
      logger: log.logger,
    });
    client = new Client({ endpoints: [server.endpoint] });
    const key = Buffer.from('k');
    for (let count = 0; count < 5; count++) await client.kv.put({ key });
    // The first compaction takes the oldest sample, which may be the empty store's.
    for (let revision = 0; revision < 6; ) {
      const fields = await log.next();
      expect(fields).toMatchObject({ 'compact-period': '300ms', took: expect.any(String) });
      revision = Number(fields.revision);
    }
    await expect(client.kv.range({ key, revision: 5 })).rejects.toThrow(
      'etcdserver: mvcc: required revision has been compacted',
    );
    expect((await client.kv.range({ key })).kvs[0]?.version).toBe(5);
  });
});
