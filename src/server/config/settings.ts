import type { MemberUrl } from '../http/address.js';
import type { FlagSet } from './flag-parser.js';

/** Typed access to the values of a flag set. A wrong type is a fault of the flag table. */
export class Settings {
  readonly #flags: FlagSet;

  constructor(flags: FlagSet) {
    this.#flags = flags;
  }

  /** Set by a flag, a variable or the configuration file. */
  isSet(name: string): boolean {
    return this.#flags.explicit.has(name);
  }

  text(name: string): string {
    const value = this.#flags.values.get(name);
    if (typeof value !== 'string') throw new TypeError(`--${name} holds no text`);
    return value;
  }

  on(name: string): boolean {
    const value = this.#flags.values.get(name);
    if (typeof value !== 'boolean') throw new TypeError(`--${name} holds no boolean`);
    return value;
  }

  number(name: string): number {
    const value = this.#flags.values.get(name);
    if (typeof value !== 'number') throw new TypeError(`--${name} holds no number`);
    return value;
  }

  /** A duration in milliseconds, with a fraction if there is one. */
  millis(name: string): number {
    return this.number(name) / 1e6;
  }

  list(name: string): string[] {
    return this.#array(name).map((item) => (typeof item === 'string' ? item : item.text));
  }

  urls(name: string): MemberUrl[] {
    return this.#array(name).filter((item) => typeof item !== 'string');
  }

  #array(name: string): readonly (string | MemberUrl)[] {
    const value = this.#flags.values.get(name);
    if (typeof value !== 'object') throw new TypeError(`--${name} holds no list`);
    return value;
  }
}
