import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SnapshotFile, SnapshotSaveError } from '../offline/snapshot-save.js';
import { nodeFs } from '../platform/node-fs.js';
import type { Flags } from './args/flags.js';
import { ClientCommand } from './client-command.js';
import { CommandFailure, ExitCode } from './exit.js';
import { type Progress, withProgress } from './reading.js';
import { callFailure } from './session.js';

/** `host:port`, or a URL. */
const ENDPOINT = /^(https?:\/\/.+|unixs?:\/\/.+|\[[0-9a-fA-F:]+\]:\d+|[^/]+:\d+)$/;

/** A command that looks into databases: files, data directories, or those of running servers. */
export abstract class SourceCommand<Declared extends Flags> extends ClientCommand<Declared> {
  /** As {@link withProgress}. */
  protected reading<T>(
    label: string,
    work: (onProgress: Progress | undefined) => Promise<T>,
  ): Promise<T> {
    return withProgress(this.terminal, this.parsedArguments.flags['write-out'], label, work);
  }

  /**
   * Does `work` with paths of databases. A running server is asked for a snapshot, which is kept in
   * a temporary directory meanwhile: its state at one moment, without holding it up.
   */
  protected async withDatabases<T>(
    sources: readonly string[],
    work: (paths: readonly string[], temporary: string) => Promise<T>,
  ): Promise<T> {
    const temporary = join(tmpdir(), `etcdkit-${randomBytes(8).toString('hex')}`);
    await nodeFs.makeDirectory(temporary, { mode: 0o700 });
    try {
      const paths: string[] = [];
      for (const [index, source] of sources.entries()) {
        const isPath = (await nodeFs.stat(source)) !== undefined || !ENDPOINT.test(source);
        if (isPath) paths.push(source);
        else paths.push(await this.#fetch(source, join(temporary, `${index}.db`)));
      }
      return await work(paths, temporary);
    } finally {
      await nodeFs.removeTree(temporary);
    }
  }

  async #fetch(endpoint: string, path: string): Promise<string> {
    await this.withSession(async (session) => {
      const client = await session.client([endpoint]);
      // A stream of any length has no deadline; whether there is a server is found out before.
      await client.maintenance.status(session.deadline());
      await this.reading(`fetching a snapshot of ${endpoint}`, async (onProgress) => {
        const file = await SnapshotFile.create(nodeFs, path);
        try {
          for await (const { blob, remainingBytes } of client.maintenance.snapshot()) {
            await file.write(blob);
            onProgress?.(file.size, file.size + remainingBytes);
          }
          await file.finish();
        } catch (error) {
          await file.discard();
          if (error instanceof SnapshotSaveError) {
            throw new CommandFailure(ExitCode.Error, error.message, { cause: error });
          }
          throw callFailure(error);
        }
      });
    });
    return path;
  }
}
