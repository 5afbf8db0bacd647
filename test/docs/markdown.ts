import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The directory of the repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Text of a file of the repository. */
export function readDocument(path: string): string {
  return readFileSync(`${ROOT}/${path}`, 'utf8');
}

/** One row of a table: the cells by the text of their column's heading. */
export interface TableRow {
  /** Headings above the table, from the second level down. */
  readonly section: string;
  readonly cells: Readonly<Record<string, string>>;
}

/** Every row of every table of a Markdown text. */
export function tableRows(text: string): TableRow[] {
  const rows: TableRow[] = [];
  let section = '';
  let columns: string[] | undefined;
  for (const line of text.split('\n')) {
    const heading = /^##+ (.*)$/.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    if (!line.startsWith('|')) {
      columns = undefined;
      continue;
    }
    const cells = line.split('|').slice(1, -1);
    const texts = cells.map((cell) => cell.trim());
    if (columns === undefined) columns = texts;
    else if (!/^-+$/.test(texts[0] ?? '')) rows.push({ section, cells: byColumn(columns, texts) });
  }
  return rows;
}

function byColumn(columns: readonly string[], texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column, index) => [column, texts[index] ?? '']));
}

/** What stands between backquotes. */
export function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
