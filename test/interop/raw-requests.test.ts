import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchResponse } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { isRealSince } from '../support/real-programs.js';
import { isComparable, startServerPair } from './compare.js';
import { RawClient } from './raw-client.js';
import { RAW_REQUESTS, type RawRequest } from './raw-requests.js';
import { RAW_STREAMS, type RawStream } from './raw-streams.js';
import { advanceTo, currentRevision } from './steps.js';

/** The response as hexadecimal text, or the status of a refusal. */
async function answer(client: RawClient, { setup, method, bytes }: RawRequest): Promise<string> {
  for (const step of setup) await step(client);
  try {
    return (await client.call(method, bytes)).toString('hex');
  } catch (error) {
    const { code, details } = error as ServiceError;
    return `${code} ${details}`;
  }
}

async function answers(client: RawClient, stream: RawStream): Promise<string[]> {
  for (const step of stream.setup) await step(client);
  const requests = stream.requests(await currentRevision(client));
  const got = await client.stream(stream.method, requests, stream.answers);
  return got.map((bytes) => bytes.toString('hex'));
}

/** The code of a refusal; of a success, that it is one. */
function statusOnly(answered: string): string {
  return /^\d+(?= )/.exec(answered)?.[0] ?? 'OK';
}

describe.skipIf(!isComparable)('raw requests', () => {
  let servers: Awaited<ReturnType<typeof startServerPair>>;
  let real: RawClient;
  let ours: RawClient;

  beforeAll(async () => {
    servers = await startServerPair();
    real = new RawClient(servers.real.endpoint);
    ours = new RawClient(servers.ours.endpoint);
  });

  afterAll(async () => {
    real?.close();
    ours?.close();
    await servers?.stop();
  });

  /** Brings both servers to one revision, with nothing in them. */
  async function level(): Promise<void> {
    const next = 1 + Math.max(await currentRevision(real), await currentRevision(ours));
    await Promise.all([advanceTo(real, next), advanceTo(ours, next)]);
  }

  it.each(RAW_STREAMS)('$name', async (stream) => {
    await level();
    const [theirs, actual] = await Promise.all([answers(real, stream), answers(ours, stream)]);
    if (stream.differs === undefined || isRealSince(7)) {
      // What was asked may be answered before what was created, by a 3.7.
      if (isRealSince(7)) expect(actual.toSorted()).toEqual(theirs.toSorted());
      else expect(actual).toEqual(theirs);
      return;
    }
    const decoded = actual.map((hex) => WatchResponse.decode(Buffer.from(hex, 'hex')));
    expect(decoded).toMatchObject(stream.differs.answers);
    expect(actual, 'a difference is allowed that is none').not.toEqual(theirs);
  });

  it.each(RAW_REQUESTS)('$name', async (request) => {
    await level();
    const [theirs, actual] = await Promise.all([answer(real, request), answer(ours, request)]);
    if (request.differs !== undefined && isRealSince(7)) {
      expect(actual).toBe(theirs);
    } else if (request.differs !== undefined) {
      expect(actual).toBe(request.differs.answer);
      expect(theirs, 'a difference is allowed that is none').not.toBe(actual);
    } else if (request.compare === 'status') {
      expect(statusOnly(actual)).toBe(statusOnly(theirs));
    } else {
      expect(actual).toBe(theirs);
    }
  });
});
