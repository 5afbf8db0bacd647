import { readdirSync } from 'node:fs';
import {
  type ClientReadableStream,
  credentials,
  Client as GrpcChannel,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandWords } from '../../src/cli/face-tree.js';
import type { Face } from '../../src/cli/faces.js';
import { GLOBAL_FLAGS } from '../../src/cli/global-flags.js';
import { type ManifestCommand, readManifest } from '../../src/cli/manifest.js';
import { Client } from '../../src/client/client.js';
import { PutRequest } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { METHODS_BY_PATH, type RpcKind } from '../../src/proto/services.js';
import { FEATURE_GATES } from '../../src/server/config/feature-gates.js';
import { FLAG_SPECS } from '../../src/server/config/flag-table.js';
import { UNSUPPORTED_FLAGS } from '../../src/server/config/unsupported.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { type Feature, features, compatibilityRows as rows, SERVER_SECTIONS } from './features.js';
import { ROOT, readDocument } from './markdown.js';

/** How long a call may last before it counts as served, ms: a campaign waits for ever. */
const CALL_MILLIS = 2_000;

const STATES = ['yes', 'partly', 'no', 'n/a'];

/** The names of rows: each once, sorted. */
function names(list: readonly Feature[]): string[] {
  return list.map(({ name }) => name).sort();
}

const inState = (list: readonly Feature[], ...states: string[]): Feature[] =>
  list.filter(({ state }) => states.includes(state));

const rpcs = features('RPC');
const flags = features('flag', SERVER_SECTIONS);

it('knows four states only', () => {
  const unknown = rows.filter(
    ({ cells }) => 'note' in cells && !STATES.includes(cells.state ?? ''),
  );
  expect(unknown).toEqual([]);
});

describe('flags of the server', () => {
  it('are all of the flag table, each once', () => {
    expect(names(flags)).toEqual(FLAG_SPECS.map(({ name }) => `--${name}`).sort());
  });

  it('stand in the section of the flag table', () => {
    for (const { name, section } of FLAG_SPECS) {
      const own = features('flag', new RegExp(`^${section}$`));
      expect(names(own), `section ${section}`).toContain(`--${name}`);
    }
  });

  it('are Refused where the server refuses them, and nowhere else', () => {
    const refused = flags.filter(({ note }) => /^Refused(\.|$)/.test(note));
    expect(names(refused)).toEqual(UNSUPPORTED_FLAGS.map((name) => `--${name}`).sort());
    expect(inState(refused, 'yes')).toEqual([]);
  });

  it('say so where they do nothing', () => {
    const silent = inState(flags, 'no', 'n/a').filter(
      ({ note }) => !/^(Refused|Accepted without effect)/.test(note),
    );
    expect(silent).toEqual([]);
  });
});

it('lists every feature gate', () => {
  expect(names(features('gate'))).toEqual(
    [...Object.keys(FEATURE_GATES), 'AllAlpha', 'AllBeta'].sort(),
  );
});

describe('commands', () => {
  const manifest = readManifest(new URL('../../oclif.manifest.json', import.meta.url));
  const commands = features('command');
  const existing = new Map<string, ManifestCommand>();
  for (const command of Object.values(manifest)) {
    const faces: readonly Face[] = command.faces.filter((face) => face !== 'etcdkit');
    // A command of ours alone has no other name.
    for (const face of faces.length > 0 ? faces : (['etcdkit'] as const)) {
      existing.set([face, ...commandWords(face, command.id)].join(' '), command);
    }
  }

  it('are there exactly where the page says so', () => {
    expect(names(inState(commands, 'yes', 'partly'))).toEqual([...existing.keys()].sort());
    expect(new Set(names(commands)).size).toBe(commands.length);
  });

  it('take the flags that the page names', () => {
    for (const { name, flags: documented } of inState(commands, 'yes', 'partly')) {
      const taken = Object.keys(existing.get(name)?.flags ?? {}).map((flag) => `--${flag}`);
      expect([...documented].sort(), name).toEqual(taken.sort());
    }
  });

  it('share the global flags that the page names', () => {
    const documented = names(features('flag', /^Commands of etcdctl$/));
    expect(documented).toEqual(
      Object.keys(GLOBAL_FLAGS)
        .map((flag) => `--${flag}`)
        .sort(),
    );
  });
});

describe('against a running server', () => {
  let etcd: TestEtcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());

  it('names every RPC, and those that are not implemented are marked no', async () => {
    const channel = new GrpcChannel(etcd.endpoint, credentials.createInsecure());
    try {
      const methods = [...METHODS_BY_PATH.values()];
      const codes = await Promise.all(methods.map((method) => outcome(channel, method)));
      const named = (wanted: (code: number) => boolean): string[] =>
        methods
          .filter((_, index) => wanted(codes[index] ?? status.OK))
          .map(({ path }) => shortName(path))
          .sort();
      const isMissing = (code: number): boolean => code === status.UNIMPLEMENTED;
      expect(names(rpcs)).toEqual(named(() => true));
      expect(names(inState(rpcs, 'no'))).toEqual(named(isMissing));
    } finally {
      channel.close();
    }
  });

  it('names the HTTP paths that are not there as no', async () => {
    const paths = features('path');
    expect(paths.length).toBeGreaterThan(5);
    for (const { name, state } of paths) {
      const isGateway = name.startsWith('/v3/');
      const response = await fetch(
        etcd.url + name,
        isGateway ? { method: 'POST', body: '{}' } : {},
      );
      expect(response.status === 404, name).toBe(state === 'no');
    }
  });

  it('names every metric, and those that never move are marked', async () => {
    await useTheServer(etcd);
    const families = scrape(await (await fetch(`${etcd.url}/metrics`)).text());
    const metrics = features('metric');
    const own = [...families.keys()].filter((name) =>
      /^(etcd|grpc_server|os|promhttp)_/.test(name),
    );
    expect(names(metrics)).toEqual(expect.arrayContaining(own));
    const moving = inState(metrics, 'no', 'n/a').filter(
      ({ name }) => (families.get(name) ?? 0) > 0,
    );
    expect(names(moving)).toEqual([]);
    const sources = readdirSync(`${ROOT}/src/server/metrics`)
      .map((file) => readDocument(`src/server/metrics/${file}`))
      .join('');
    const unknown = inState(metrics, 'yes', 'partly').filter(({ name }) => !sources.includes(name));
    expect(names(unknown)).toEqual([]);
  });
});

/** `/etcdserverpb.KV/Range` -> `KV.Range`. */
function shortName(path: string): string {
  const [, service = '', method] = path.split('/');
  return `${service.split('.').at(-1)}.${method}`;
}

/** The code that a call with an empty request ends with; OK for a stream that brings something. */
function outcome(
  channel: GrpcChannel,
  { path, kind }: { readonly path: string; readonly kind: RpcKind },
): Promise<number> {
  const encode = (bytes: Buffer): Buffer => bytes;
  const options = { deadline: Date.now() + CALL_MILLIS };
  const empty = Buffer.alloc(0);
  return new Promise((resolve) => {
    if (kind === 'unary') {
      channel.makeUnaryRequest(path, encode, encode, empty, new Metadata(), options, (error) =>
        resolve(error?.code ?? status.OK),
      );
      return;
    }
    let call: ClientReadableStream<Buffer>;
    if (kind === 'serverStream') {
      call = channel.makeServerStreamRequest(path, encode, encode, empty, options);
    } else {
      const stream = channel.makeBidiStreamRequest(path, encode, encode, options);
      stream.end();
      call = stream;
    }
    call.on('data', () => {
      resolve(status.OK);
      call.cancel();
    });
    call.on('error', (error: ServiceError) => resolve(error.code));
    call.on('end', () => resolve(status.OK));
  });
}

/** Does what must be seen in the metrics of a server that counts it. */
async function useTheServer(etcd: TestEtcd): Promise<void> {
  const client = new Client({ endpoints: [etcd.endpoint] });
  try {
    const key = Buffer.from('key');
    await client.kv.put({ key });
    await client.kv.range({ key });
    const puts = ['a', 'b'].map((name) => PutRequest.create({ key: Buffer.from(name) }));
    await client.kv.txn({
      success: puts.map((value) => ({ request: { $case: 'requestPut', value } })),
    });
    await client.maintenance.hashKv(0);
    await client.maintenance.defragment();
    await fetch(`${etcd.url}/health`);
  } finally {
    client.close();
  }
}

/** The sum of the samples of each metric family of a scrape. */
function scrape(text: string): Map<string, number> {
  const families = new Map<string, number>();
  let family = '';
  for (const line of text.split('\n')) {
    const declared = /^# TYPE (\S+)/.exec(line)?.[1];
    if (declared !== undefined) family = declared;
    if (declared !== undefined) families.set(family, 0);
    if (line === '' || line.startsWith('#')) continue;
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    families.set(family, (families.get(family) ?? 0) + value);
  }
  return families;
}
