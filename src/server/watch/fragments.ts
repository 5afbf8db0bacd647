import { bytesFieldSize } from '../../proto/wire/fields.js';

/**
 * Splits the events of one response so that each part stays below `limitBytes`, at least one event
 * a part (reference: api 13.3). One revision may be split.
 * @param limitBytes of the whole encoded response
 * @param overheadBytes of the response without events
 */
export function splitEvents(
  events: readonly Buffer[],
  limitBytes: number,
  overheadBytes: number,
): (readonly Buffer[])[] {
  const parts: (readonly Buffer[])[] = [];
  let start = 0;
  let size = overheadBytes;
  for (let position = 0; position < events.length; position++) {
    const eventSize = bytesFieldSize((events[position] as Buffer).length);
    if (position > start && size + eventSize >= limitBytes) {
      parts.push(events.slice(start, position));
      start = position;
      size = overheadBytes;
    }
    size += eventSize;
  }
  parts.push(start === 0 ? events : events.slice(start));
  return parts;
}
