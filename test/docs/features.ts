import { codeSpans, readDocument, tableRows } from './markdown.js';

/** A row of docs/compatibility.md. */
export interface Feature {
  readonly name: string;
  readonly state: string;
  readonly note: string;
  readonly flags: readonly string[];
}

/** All rows of the page. */
export const compatibilityRows = tableRows(readDocument('docs/compatibility.md'));

/** The rows of the tables whose first column has that heading, under matching section headings. */
export function features(column: string, section = /./): Feature[] {
  return compatibilityRows
    .filter(({ section: heading, cells }) => column in cells && section.test(heading))
    .map(({ cells }) => ({
      name: codeSpans(cells[column] ?? '')[0] ?? '',
      state: cells.state ?? '',
      note: cells.note ?? '',
      flags: codeSpans(cells.flags ?? ''),
    }));
}

/** Headings of the tables of the server's flags. */
export const SERVER_SECTIONS =
  /^(Member|Clustering|Security|Logging, monitoring and tracing|Features|Other)$/;
