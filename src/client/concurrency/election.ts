import { LeaseElection } from '../../recipes/election.js';
import * as leader from '../../recipes/leader.js';
import type { RecipeOptions } from '../../recipes/store.js';
import { recipeStore } from './recipe-store.js';
import type { ConcurrencyClient, Session } from './session.js';

export { ElectionError, type ObservedLeader } from '../../recipes/leader.js';

/** A leadership that sessions contend for (reference: semantics 10). */
export class Election extends LeaseElection {
  readonly session: Session;

  constructor(session: Session, name: Buffer) {
    super(recipeStore(session.client), session.lease, name);
    this.session = session;
  }
}

/**
 * The current leader's key.
 * @throws ElectionError `election: no leader`
 */
export function currentLeader(
  client: ConcurrencyClient,
  name: Buffer,
  options?: RecipeOptions,
): Promise<leader.ObservedLeader> {
  return leader.currentLeader(recipeStore(client), name, options);
}

/**
 * The current leader, then every later leader and every value a leader proclaims. Ends when a watch
 * is lost or `options.signal` is aborted.
 */
export function observeLeaders(
  client: ConcurrencyClient,
  name: Buffer,
  options?: RecipeOptions,
): AsyncGenerator<leader.ObservedLeader> {
  return leader.observeLeaders(recipeStore(client), name, options);
}
