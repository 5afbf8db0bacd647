/**
 * The first record of a text as Go's `encoding/csv` reads it: fields between commas, `"` quotes a
 * whole field and is doubled inside it.
 * @throws Error with Go's text (`parse error on line 1, column 2: bare " in non-quoted field`, `EOF`)
 */
export function parseCsvRecord(text: string): string[] {
  const line = text.replace(/^(\r?\n)+/, '');
  if (line === '') throw new Error('EOF');
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const field = line[at] === '"' ? quotedField(line, at) : bareField(line, at);
    fields.push(field.value);
    if (line[field.end] !== ',') return fields;
    at = field.end + 1;
  }
}

interface Field {
  readonly value: string;
  /** Where the comma or the end of the record stands. */
  readonly end: number;
}

function bareField(line: string, start: number): Field {
  const length = line.slice(start).search(/,|\r?\n|$/);
  const value = line.slice(start, start + length);
  const quote = value.indexOf('"');
  if (quote >= 0) throw syntaxError(line, start + quote, 'bare " in non-quoted field');
  return { value, end: start + length };
}

function quotedField(line: string, start: number): Field {
  let value = '';
  for (let at = start + 1; ; ) {
    const quote = line.indexOf('"', at);
    if (quote < 0) throw syntaxError(line, line.length, 'extraneous or missing " in quoted-field');
    value += line.slice(at, quote);
    const next = line[quote + 1];
    if (next !== '"') {
      if (next === undefined || /[,\r\n]/.test(next)) return { value, end: quote + 1 };
      throw syntaxError(line, quote, 'extraneous or missing " in quoted-field');
    }
    value += '"';
    at = quote + 2;
  }
}

/** Go counts columns in bytes, from 1. */
function syntaxError(line: string, at: number, cause: string): Error {
  const column = Buffer.byteLength(line.slice(0, at)) + 1;
  return new Error(`parse error on line 1, column ${column}: ${cause}`);
}
