import type { FlagSet } from './flag-parser.js';
import { defaultFlagValue } from './flag-values.js';
import type { Settings } from './settings.js';

/**
 * Flags that this server knows but does not carry out yet. Any value other than the default is
 * refused, so that nobody believes in a protection or a feature that is not there. Whoever builds
 * one takes its flags off this list.
 */
export const UNSUPPORTED_FLAGS: readonly string[] = [
  // Operating system and diagnostics.
  'socket-reuse-port',
  'memory-mlock',
  'enable-pprof',
  'enable-distributed-tracing',
];

/** @throws Error `--X is not supported yet` for the first such flag that is in use */
export function refuseUnsupported(flags: FlagSet, settings: Settings): void {
  for (const name of UNSUPPORTED_FLAGS) {
    const spec = flags.specs.get(name);
    if (spec === undefined) throw new TypeError(`there is no flag --${name}`);
    const inUse = JSON.stringify(flags.values.get(name)) !== JSON.stringify(defaultFlagValue(spec));
    if (inUse) throw new Error(`--${name} is not supported yet`);
  }
  if (settings.list('log-outputs').includes('systemd/journal')) {
    throw new Error('--log-outputs systemd/journal is not supported yet');
  }
}
