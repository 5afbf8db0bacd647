import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FileHandle } from '../../src/platform/fs.js';
import { FileWindows } from '../../src/storage/file-windows.js';

const WINDOW_BYTES = 16;

/** A file in memory that notes where it is read, and whose reads end when they are told to. */
class SlowFile {
  readonly content: Buffer;
  readonly positions: number[] = [];
  failsAt: number | undefined;
  #waiting: (() => void)[] = [];

  constructor(bytes: number) {
    this.content = Buffer.from(Array.from({ length: bytes }, (_, index) => index & 0xff));
  }

  read(position: number, length: number): Promise<Buffer> {
    this.positions.push(position);
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        if (this.failsAt === position) reject(new Error('EIO'));
        else resolve(this.content.subarray(position, position + length));
      });
    });
  }

  /** Lets everything that is being read arrive. */
  async arrive(): Promise<void> {
    for (const end of this.#waiting.splice(0)) end();
    await nextTurn();
  }
}

function windowsOf(file: SlowFile, readsAhead: boolean): FileWindows {
  const handle: Pick<FileHandle, 'read'> = file;
  return new FileWindows(handle, WINDOW_BYTES, { readsAhead });
}

async function readNow(file: SlowFile, windows: FileWindows, offset: number): Promise<Buffer> {
  const reading = windows.read(offset, 4);
  await file.arrive();
  return reading;
}

describe('windows of a file', () => {
  it('are read ahead once two neighbours were, one at a time and up to the end', async () => {
    const file = new SlowFile(3 * WINDOW_BYTES + 6);
    const windows = windowsOf(file, true);
    expect(await readNow(file, windows, 0)).toEqual(file.content.subarray(0, 4));
    expect(file.positions).toEqual([0]);
    expect(await readNow(file, windows, 16)).toEqual(file.content.subarray(16, 20));
    expect(file.positions).toEqual([0, 16, 32]);
    expect(await readNow(file, windows, 32)).toEqual(file.content.subarray(32, 36));
    expect(file.positions).toEqual([0, 16, 32, 48]);
    expect(await readNow(file, windows, 50)).toEqual(file.content.subarray(50, 54));
    expect(file.positions).toEqual([0, 16, 32, 48]);
  });

  it('are not read ahead unless that is asked for', async () => {
    const file = new SlowFile(64);
    const windows = windowsOf(file, false);
    await readNow(file, windows, 0);
    await readNow(file, windows, 16);
    expect(file.positions).toEqual([0, 16]);
  });

  it('tell of an error of what was read ahead where that is needed, and only there', async () => {
    const file = new SlowFile(64);
    file.failsAt = 32;
    const windows = windowsOf(file, true);
    await readNow(file, windows, 0);
    await readNow(file, windows, 16);
    await file.arrive();
    await windows.settled();
    expect(windows.peek(16, 4)).toEqual(file.content.subarray(16, 20));
    await expect(windows.read(32, 4)).rejects.toThrow('EIO');
  });

  it('are looked into without waiting once they are there', async () => {
    const file = new SlowFile(40);
    const windows = windowsOf(file, true);
    expect(windows.peek(0, 4)).toBeUndefined();
    await readNow(file, windows, 0);
    expect(windows.peek(4, 4)).toEqual(file.content.subarray(4, 8));
    expect(windows.peek(16, 4)).toBeUndefined();
  });

  it('are settled only once the one that is coming has arrived', async () => {
    const file = new SlowFile(64);
    const windows = windowsOf(file, true);
    await readNow(file, windows, 0);
    await readNow(file, windows, 16);
    let isSettled = false;
    const settled = windows.settled().then(() => {
      isSettled = true;
    });
    await nextTurn();
    expect(isSettled).toBe(false);
    await file.arrive();
    await settled;
  });
});
