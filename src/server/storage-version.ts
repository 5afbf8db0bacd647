import type { Backend } from '../storage/backend/backend.js';

const STORAGE_VERSION_KEY = Buffer.from('storageVersion');

/** The version of the backend's schema, kept in its bucket `meta` (reference: formats 4.5). */
export class StorageVersion {
  readonly #backend: Backend;
  #version: string;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#version = backend.get('meta', STORAGE_VERSION_KEY)?.toString() ?? '';
  }

  /** `major.minor.0`, or empty as long as none was recorded. */
  get version(): string {
    return this.#version;
  }

  /** Follows the cluster version once there is one. */
  follow(clusterVersion: string | undefined): void {
    if (clusterVersion === undefined || clusterVersion === '3.0.0') return;
    if (clusterVersion === this.#version) return;
    this.#version = clusterVersion;
    this.#backend.put('meta', STORAGE_VERSION_KEY, Buffer.from(clusterVersion));
  }
}
