import { type CrashMode, MemoryFile } from './memory-file.js';
import type { Random } from './random.js';

export type MemoryNode = MemoryFile | MemoryDirectory;

/** One atomic change of a directory: names set to a node, or taken away. */
type DirectoryChange = readonly (readonly [name: string, node: MemoryNode | undefined])[];

/** A directory of the memory file system: its entries, and those changed since the last sync. */
export class MemoryDirectory {
  readonly kind = 'directory';
  readonly mode: number;
  readonly entries = new Map<string, MemoryNode>();
  #syncedEntries = new Map<string, MemoryNode>();
  #changes: DirectoryChange[] = [];
  readonly #tracked: boolean;

  constructor(mode: number, tracked: boolean) {
    this.mode = mode;
    this.#tracked = tracked;
  }

  change(change: DirectoryChange): void {
    if (this.#tracked) this.#changes.push(change);
    applyChange(this.entries, change);
  }

  sync(): void {
    if (!this.#tracked) return;
    this.#changes = [];
    this.#syncedEntries = new Map(this.entries);
  }

  /**
   * The directory as found after a power loss. A journal writes changes in order, so what survives
   * of the unsynced ones is a prefix. `seen` keeps a node that has two names one node.
   */
  afterCrash(
    random: Random,
    mode: CrashMode,
    seen = new Map<MemoryNode, MemoryNode>(),
  ): MemoryDirectory {
    const survivors = new Map(this.#tracked ? this.#syncedEntries : this.entries);
    const kept =
      mode === 'keep'
        ? this.#changes.length
        : mode === 'lose'
          ? 0
          : random.integer(this.#changes.length + 1);
    for (const change of this.#changes.slice(0, kept)) applyChange(survivors, change);
    const directory = new MemoryDirectory(this.mode, this.#tracked);
    for (const [name, node] of survivors) {
      const known = seen.get(node);
      const after =
        known ??
        (node instanceof MemoryFile
          ? node.afterCrash(random, mode)
          : node.afterCrash(random, mode, seen));
      seen.set(node, after);
      directory.entries.set(name, after);
    }
    directory.sync();
    return directory;
  }
}

function applyChange(entries: Map<string, MemoryNode>, change: DirectoryChange): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}
