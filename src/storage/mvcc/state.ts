import type { Backend } from '../backend/backend.js';
import { KeyIndex } from './key-index.js';

/** What the parts of the store share. Only the store and its transactions change it. */
export class MvccState {
  backend: Backend;
  index = new KeyIndex();
  /** The revision of the last finished write transaction; 1 of an empty store. */
  currentRevision = 1;
  /** The revision compacted last, or being compacted; -1 if there was none. */
  compactRevision = -1;
  /** Whether a write transaction is open. */
  isWriting = false;

  constructor(backend: Backend) {
    this.backend = backend;
  }
}
