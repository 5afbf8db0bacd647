/** The line that our etcdctl prints for an endpoint that nobody serves. */
export const DIAGNOSIS =
  /^\S+: connection refused \(is the server running and listening there\?\)\n/gm;

/** An ASCII table with the box characters of 3.7. */
export function withBoxes(table: string): string {
  const rules: readonly [string, string, string][] = [
    ['┌', '┬', '┐'],
    ['├', '┼', '┤'],
    ['└', '┴', '┘'],
  ];
  let rule = 0;
  return table
    .split('\n')
    .map((line) => {
      if (!line.startsWith('+')) return line.replaceAll('|', '│');
      const [left, middle, right] = rules[rule++] ?? ['', '', ''];
      return line
        .slice(1, -1)
        .replaceAll('-', '─')
        .replaceAll('+', middle)
        .replace(/^/, left)
        .concat(right);
    })
    .join('\n');
}

/** The contents of a table in either style, row by row. Text as Latin-1. */
export function tableCells(table: string): string[] {
  return Buffer.from(table, 'latin1')
    .toString()
    .split('\n')
    .filter((line) => /^[|│]/.test(line))
    .flatMap((line) => line.split(/[|│]/).slice(1, -1))
    .map((cell) => cell.trim());
}

/** A line of `endpoint status` with the columns of 3.6, as a server of 3.4 fills them. */
export function statusTableRow(line: string): string {
  const [endpoint, id, version, size, ...raft] = line.replace(/\n$/, '').split(', ');
  const disk = [size, size, '<percentage>', '<size>'];
  return `${[endpoint, id, version, '', ...disk, ...raft, '', 'false'].join(', ')}\n`;
}
