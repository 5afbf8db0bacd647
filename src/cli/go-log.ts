import { FACES, type Face } from './faces.js';
import { localTime } from './tool-log.js';

/** What stands before the text of a failure. */
export function failurePrefix(face: Face): string {
  return FACES[face].logsLikeGo ? goLogTime() : 'Error: ';
}

/** A line that a tool writes to stderr by the way: with the time, where its log has one. */
export function logLine(face: Face, text: string): string {
  return `${FACES[face].logsLikeGo ? goLogTime() : ''}${text}\n`;
}

/** The head of a line of Go's log package: `2006/01/02 15:04:05 `, in local time. */
function goLogTime(): string {
  return `${localTime(new Date()).slice(0, 19).replaceAll('-', '/').replace('T', ' ')} `;
}
