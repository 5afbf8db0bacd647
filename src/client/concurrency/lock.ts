import { LeaseLock } from '../../recipes/lock.js';
import { recipeStore } from './recipe-store.js';
import type { Session } from './session.js';

export { LockError } from '../../recipes/lock.js';

/** A lock shared by all sessions that use the same name (reference: semantics 10). */
export class Lock extends LeaseLock {
  readonly session: Session;

  constructor(session: Session, name: Buffer) {
    super(recipeStore(session.client), session.lease, name);
    this.session = session;
  }
}
