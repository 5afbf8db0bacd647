import type { Backend } from '../storage/backend/backend.js';

const STORAGE_VERSION_KEY = Buffer.from('storageVersion');
/** The first release that records the version. */
const FIRST_RECORDED = { major: 3, minor: 6 };

/** The version of the backend's schema, kept in its bucket `meta` (reference: formats 4.5). */
export class StorageVersion {
  readonly #backend: Backend;
  #version = '';

  constructor(backend: Backend) {
    this.#backend = backend;
    this.restore();
  }

  /** Reads anew what the backend holds. */
  restore(): void {
    this.#version = this.#backend.get('meta', STORAGE_VERSION_KEY)?.toString() ?? '';
  }

  /** `major.minor.0`, or empty as long as none was recorded. */
  get version(): string {
    return this.#version;
  }

  /** Follows the cluster version once there is one; data of 3.5 and older has none. */
  follow(clusterVersion: string | undefined): void {
    if (clusterVersion === undefined || clusterVersion === '3.0.0') return;
    const version = isRecorded(clusterVersion) ? clusterVersion : '';
    if (version === this.#version) return;
    this.#version = version;
    if (version === '') this.#backend.delete('meta', STORAGE_VERSION_KEY);
    else this.#backend.put('meta', STORAGE_VERSION_KEY, Buffer.from(version));
  }
}

function isRecorded(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return (
    major > FIRST_RECORDED.major ||
    (major === FIRST_RECORDED.major && minor >= FIRST_RECORDED.minor)
  );
}
