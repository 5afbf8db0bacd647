import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import type { FileHandle, Fs } from '../../../src/platform/fs.js';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { parseServerConfig } from '../../../src/server/config/parse-server-config.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import type { ServerPlatform } from '../../../src/server/platform.js';
import { memoryPlatform } from '../../../src/server/platform.js';
import { publish } from '../../../src/server/publish.js';
import { type EtcdServer, startServer } from '../../../src/server/server.js';
import { newDisks, startMember } from '../../support/in-memory-member.js';

function put(member: LocalMember, key: string): Promise<unknown> {
  const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from('v') });
  return member.propose('put', request, PutRequest.encode(request).finish());
}

/** The memory platform, with a log that can be told to fail its writes. */
function failingPlatform(): { platform: ServerPlatform; failFromNowOn: () => void } {
  const inner = memoryPlatform();
  let fails = false;
  const open: Fs['open'] = async (path, options) => {
    const file = await inner.fs.open(path, options);
    if (!path.includes('/wal')) return file;
    const write: FileHandle['write'] = (chunks, position) => {
      if (fails) return Promise.reject(new Error('EIO: i/o error, write'));
      return file.write(chunks, position);
    };
    return new Proxy(file, {
      get(target, name) {
        if (name === 'write') return write;
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  const fs = new Proxy(inner.fs, {
    get(target, name) {
      if (name === 'open') return open;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return {
    platform: { ...inner, fs },
    failFromNowOn: () => {
      fails = true;
    },
  };
}

function start(platform: ServerPlatform, onFatal: (error: unknown) => void): Promise<EtcdServer> {
  const parsed = parseServerConfig(
    [
      '--listen-client-urls=http://127.0.0.1:0',
      '--advertise-client-urls=http://127.0.0.1:0',
      '--listen-peer-urls=http://127.0.0.1:0',
    ],
    {},
    () => '',
  );
  if (parsed.kind === 'exit') throw new Error(parsed.stderr);
  return startServer({
    config: parsed.config,
    logger: silentLogger,
    platform,
    runtimeVersion: 'node',
    onFatal,
  });
}

describe('a member that cannot go on', () => {
  it('tells those who wait, at once', async () => {
    const { platform, failFromNowOn } = failingPlatform();
    let ended: (error: unknown) => void = () => {};
    const end = new Promise((resolve) => {
      ended = resolve;
    });
    const { member } = await start(platform, ended);
    await put(member, 'before');
    failFromNowOn();
    const started = performance.now();
    const results = await Promise.allSettled([
      put(member, 'in flight'),
      put(member, 'with it'),
      end.then(() => put(member, 'after')),
      end.then(() => member.linearizableRead()),
    ]);
    expect(results.map((result) => result.status === 'rejected' && String(result.reason))).toEqual(
      Array.from({ length: 4 }, () => expect.stringContaining('server stopped')),
    );
    expect(String(await end)).toContain('EIO');
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('ends a start that it interrupts, with the cause', async () => {
    const { platform, failFromNowOn } = failingPlatform();
    // The first segment is written before the log is; everything after it fails.
    const rename = platform.fs.rename.bind(platform.fs);
    const fs = new Proxy(platform.fs, {
      get(target, name) {
        if (name === 'rename') {
          return async (from: string, to: string) => {
            await rename(from, to);
            if (to.endsWith('/wal')) failFromNowOn();
          };
        }
        return Reflect.get(target, name, target);
      },
    });
    await expect(start({ ...platform, fs }, () => {})).rejects.toThrow('EIO');
  });

  it('leaves no port open when its files cannot be closed', async () => {
    const ports = async (): Promise<number> => {
      // What has just been closed is gone a turn later.
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      return process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    };
    const before = await ports();
    const platform = memoryPlatform();
    const server = await start(
      {
        ...platform,
        openBackend: async (request) => {
          const backend = await platform.openBackend(request);
          const { close } = backend;
          backend.close = async () => {
            await close.call(backend);
            throw new Error('EIO: i/o error, close');
          };
          return backend;
        },
      },
      () => {},
    );
    expect(await ports()).toBeGreaterThan(before);
    await expect(server.stop()).rejects.toThrow('EIO');
    expect(await ports()).toBe(before);
  });

  it('does not wait for a leader once it is stopped', async () => {
    const { member } = await startMember(newDisks());
    await member.stop();
    await expect(member.whenLeader()).rejects.toThrow('server stopped');
    await expect(
      publish(member, { name: 'default', clientUrls: [] }, silentLogger),
    ).rejects.toThrow('server stopped');
  });
});
