import { etcdError, etcdErrorByMessage, GrpcCode } from '../../proto/errors.js';
import { BinaryReader } from '../../proto/wire/reader.js';
import type { AuditLines, AuditLinesOptions } from './audit-line.js';
import type { AuditedCall } from './audited-call.js';
import type { AuditedStreamOptions, Conversation } from './conversation.js';
import { bytesField, inMessage, membersOrNone, numberField, readFields } from './field-scan.js';

const CREATE = (1 << 3) | 2;
const CANCEL = (2 << 3) | 2;
const PROGRESS = (3 << 3) | 2;
const CANCEL_ID = (1 << 3) | 0;
const CREATE_FIELDS = [
  bytesField(1, 'key'),
  bytesField(2, 'range_end'),
  numberField(3, 'start_revision'),
];

interface Question {
  readonly members: string;
  readonly started: number;
  readonly requestBytes: number;
}

/**
 * Watchers are created in order, and ended by the client or by the server: a line for each creation
 * and each end that was told to the client, and one for the end of the stream. Events and progress
 * have none.
 */
export class WatchConversation implements Conversation {
  readonly #call: AuditedCall;
  readonly #lines: AuditLines;
  readonly #clock: AuditLinesOptions['clock'];
  /** As many as the service has answers queued; with more it ends the stream. */
  readonly #creations: Question[] = [];
  /** By the ids of the watchers that are there: the client's wish to end it, once it came. */
  readonly #watchers = new Map<bigint, Question | undefined>();
  #responseBytes = 0;

  constructor(call: AuditedCall, { lines, clock }: AuditedStreamOptions) {
    this.#call = call;
    this.#lines = lines;
    this.#clock = clock;
  }

  request(message: Buffer): void {
    const started = this.#clock.monotonicMillis();
    const requestBytes = message.length;
    membersOrNone(() => {
      const { creation, cancelledId } = readRequest(message);
      if (creation !== undefined) {
        this.#creations.push({ members: creation, started, requestBytes });
      } else if (cancelledId !== undefined && this.#watchers.has(cancelledId)) {
        this.#watchers.set(cancelledId, { members: '', started, requestBytes });
      }
      return '';
    });
  }

  response(message: Uint8Array): void {
    this.#responseBytes += message.length;
    const answer = readResponse(message);
    if (answer.created) this.#created(answer, message.length);
    else if (answer.canceled) this.#cancelled(answer, message.length);
  }

  end(code: GrpcCode): void {
    for (const creation of this.#creations.splice(0)) this.#write('create', creation, code);
    const { started } = this.#call;
    const members = `,"watchers":${this.#watchers.size}`;
    const stream = { members, started, requestBytes: 0, responseBytes: this.#responseBytes };
    this.#write('end', stream, code);
  }

  #created(answer: WatchAnswer, responseBytes: number): void {
    const creation = this.#creations.shift();
    if (creation === undefined) return;
    if (!answer.canceled) this.#watchers.set(answer.watchId, undefined);
    const told = answer.canceled ? '' : watchId(answer);
    const members = creation.members + told + revision(answer);
    const code = answer.canceled ? codeOf(answer) : GrpcCode.OK;
    this.#write('create', { ...creation, members, responseBytes }, code);
  }

  #cancelled(answer: WatchAnswer, responseBytes: number): void {
    const asked = this.#watchers.get(answer.watchId);
    this.#watchers.delete(answer.watchId);
    this.#write(
      'cancel',
      {
        members: watchId(answer) + revision(answer),
        started: asked?.started ?? this.#clock.monotonicMillis(),
        requestBytes: asked?.requestBytes ?? 0,
        responseBytes,
      },
      asked === undefined ? codeOf(answer) : GrpcCode.OK,
    );
  }

  #write(event: string, question: Question & { responseBytes?: number }, code: GrpcCode): void {
    if (!this.#lines.wants(code)) return;
    const { started, requestBytes, responseBytes = 0 } = question;
    const members = `,"event":"${event}"${question.members}`;
    this.#lines.write({ call: this.#call, started, members, requestBytes, responseBytes, code });
  }
}

interface WatchQuestion {
  creation?: string;
  cancelledId?: bigint;
}

/** Of several questions in one message the last counts. */
function readRequest(message: Buffer): WatchQuestion {
  const reader = new BinaryReader(message);
  let question: WatchQuestion = {};
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag === CREATE) {
      question = { creation: inMessage(reader, () => readFields(reader, CREATE_FIELDS)) };
    } else if (tag === CANCEL) {
      question = { cancelledId: inMessage(reader, () => readCancelledId(reader)) };
    } else {
      if (tag === PROGRESS) question = {};
      reader.skip(tag);
    }
  }
  return question;
}

function readCancelledId(reader: BinaryReader): bigint {
  let id = 0n;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag === CANCEL_ID) id = reader.int64();
    else reader.skip(tag);
  }
  return id;
}

interface WatchAnswer {
  watchId: bigint;
  revision: number;
  created: boolean;
  canceled: boolean;
  compactRevision: number;
  reason: string;
}

/** The fields before the events of a response, which our own encoder writes in order. */
function readResponse(message: Uint8Array): WatchAnswer {
  const reader = new BinaryReader(message);
  const answer: WatchAnswer = {
    watchId: 0n,
    revision: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    reason: '',
  };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    const number = tag >>> 3;
    if (number > 6) break;
    if (number === 1) inMessage(reader, () => readHeader(reader, answer));
    else if (number === 2) answer.watchId = reader.int64();
    else if (number === 3) answer.created = reader.bool();
    else if (number === 4) answer.canceled = reader.bool();
    else if (number === 5) answer.compactRevision = reader.int64Saturated();
    else answer.reason = reader.string();
  }
  return answer;
}

function readHeader(reader: BinaryReader, answer: WatchAnswer): void {
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag >>> 3 === 3) answer.revision = reader.int64Saturated();
    else reader.skip(tag);
  }
}

function watchId({ watchId: id }: WatchAnswer): string {
  return `,"watch_id":${id}`;
}

function revision({ revision: number }: WatchAnswer): string {
  return number === 0 ? '' : `,"revision":${number}`;
}

/** Why the server would not have a watcher, or no longer. */
function codeOf({ compactRevision, reason }: WatchAnswer): GrpcCode {
  if (compactRevision > 0) return etcdError('Compacted').code;
  const status = /^rpc error: code = (\w+) desc = /.exec(reason)?.[1];
  for (const [name, code] of Object.entries(GrpcCode)) if (name === status) return code;
  return etcdErrorByMessage(reason)?.code ?? GrpcCode.Unknown;
}
