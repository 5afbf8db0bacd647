import { goJson } from '../../base/go-json.js';

/**
 * A string as Go's encoding/json writes it: like JSON.stringify, and `<`, `>`, `&` and the Unicode
 * line separators are escaped too.
 */
export function jsonString(text: string): string {
  return goJson(text);
}

export function jsonBytes(bytes: Buffer): string {
  return `"${bytes.toString('base64')}"`;
}

export function jsonArray(items: readonly string[]): string {
  return `[${items.join(',')}]`;
}

/**
 * An object in Go's compact form. The methods leave zero values out, as `omitempty` does; those
 * named `required...` do not.
 *
 * Trap: 64-bit numbers are bare decimals in full length, ids beyond 2^53 too (reference: cli 3.2).
 */
export class JsonObject {
  private readonly members: string[] = [];

  raw(name: string, json: string | undefined): this {
    if (json !== undefined) {
      this.members.push(`${jsonString(name)}:${json}`);
    }
    return this;
  }

  number(name: string, value: number | bigint): this {
    return value === 0 || value === 0n ? this : this.requiredNumber(name, value);
  }

  requiredNumber(name: string, value: number | bigint): this {
    return this.raw(name, value.toString());
  }

  boolean(name: string, value: boolean): this {
    return value ? this.requiredBoolean(name, value) : this;
  }

  requiredBoolean(name: string, value: boolean): this {
    return this.raw(name, String(value));
  }

  string(name: string, value: string): this {
    return value === '' ? this : this.requiredString(name, value);
  }

  requiredString(name: string, value: string): this {
    return this.raw(name, jsonString(value));
  }

  bytes(name: string, value: Buffer): this {
    return value.length === 0 ? this : this.raw(name, jsonBytes(value));
  }

  strings(name: string, values: readonly string[]): this {
    return this.list(name, values, jsonString);
  }

  list<Item>(name: string, items: readonly Item[], write: (item: Item) => string): this {
    return items.length === 0 ? this : this.raw(name, jsonArray(items.map(write)));
  }

  /** A message field; absent if undefined. */
  message<Message>(
    name: string,
    message: Message | undefined,
    write: (message: Message) => string,
  ): this {
    return this.raw(name, message === undefined ? undefined : write(message));
  }

  toString(): string {
    return `{${this.members.join(',')}}`;
  }
}
