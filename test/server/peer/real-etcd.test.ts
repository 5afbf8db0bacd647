import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../../../src/client/client.js';
import {
  EMPTY_CONF_STATE,
  type Entry,
  type Message,
  MessageType,
} from '../../../src/raft/types.js';
import { clusterId, memberId } from '../../../src/server/membership/identity.js';
import { formatId } from '../../../src/server/membership/member.js';
import { TestAuthority } from '../../support/certificates.js';
import { freePort } from '../../support/loopback.js';
import {
  messageOf,
  type PeerMember,
  type PeerMemberOptions,
  type RecordingReceiver,
  startPeerMember,
} from '../../support/peer-member.js';
import { askPeer, introduction } from '../../support/peer-request.js';
import { peerTls } from '../../support/peer-tls.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../../support/real-etcd.js';
import { REAL_ENVIRONMENT, REAL_ETCDCTL } from '../../support/real-programs.js';
import { sharedPath } from '../../support/shared.js';
import { tempDir } from '../../support/temp-dir.js';
import { until } from '../../support/until.js';

const TOKEN = 'etcd-cluster';
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Runs the real etcdctl beside us: it needs our answers. */
async function ctl({ endpoint }: RealEtcd, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(
    REAL_ETCDCTL,
    [`--endpoints=${endpoint}`, ...args],
    { env: REAL_ENVIRONMENT },
  );
  return stdout + stderr;
}

/** As much of a Raft follower as a leader needs: it grants every vote and takes every entry. */
class Follower {
  readonly entries: Entry[] = [];
  readonly #member: PeerMember;

  constructor(member: PeerMember) {
    this.#member = member;
    member.receiver.onMessage = (message) => this.#answer(message);
  }

  /** Loses the log, and makes the leader begin a new term, in which it asks where we are. */
  forget(leader: bigint): void {
    this.entries.length = 0;
    this.#member.transport.send([
      messageOf(MessageType.HeartbeatResp, this.#member.id, leader, { term: 1000 }),
    ]);
  }

  #answer(message: Message): void {
    const { term, from } = message;
    const reply = (type: MessageType, fields: Partial<Message> = {}): void => {
      this.#member.transport.send([messageOf(type, this.#member.id, from, { ...fields, term })]);
    };
    switch (message.type) {
      case MessageType.Vote:
        reply(MessageType.VoteResp);
        break;
      case MessageType.App:
        this.#append(message, reply);
        break;
      case MessageType.Heartbeat:
        reply(MessageType.HeartbeatResp, { context: message.context });
    }
  }

  #append(
    { index, entries }: Message,
    reply: (type: MessageType, fields: Partial<Message>) => void,
  ): void {
    // The entries of the bootstrap are in every log from the start.
    const last = Math.max(2, this.entries.at(-1)?.index ?? 0);
    if (index > last) {
      reply(MessageType.AppResp, { index, reject: true, rejectHint: last });
      return;
    }
    for (const entry of entries) if (entry.index > last) this.entries.push(entry);
    reply(MessageType.AppResp, { index: Math.max(last, entries.at(-1)?.index ?? index) });
  }
}

/** A 3.4 keeps so many entries behind its snapshot. */
const COMPACTED_ENTRIES = 5000;
const PARALLEL_PUTS = 500;

async function putMany(real: RealEtcd, count: number): Promise<void> {
  const client = new Client({ endpoints: [real.endpoint] });
  try {
    for (let done = 0; done < count; done += PARALLEL_PUTS) {
      await Promise.all(
        Array.from({ length: PARALLEL_PUTS }, () =>
          client.kv.put({ key: Buffer.from('key'), value: Buffer.from('value') }),
        ),
      );
    }
  } finally {
    client.close();
  }
}

interface Pair {
  readonly ours: PeerMember;
  readonly real: RealEtcd;
  readonly realId: bigint;
}

/** A transport of ours and a real etcd, as the two members of a cluster. */
async function startPair(
  prepare: (ours: PeerMember, realId: bigint) => void,
  tls: Pick<PeerMemberOptions, 'listenerTls' | 'dialTls'> = {},
  flags: readonly string[] = [],
): Promise<Pair> {
  const scheme = tls.listenerTls === undefined ? 'http' : 'https';
  const ports = { client: await freePort(), peer: await freePort() };
  const ourPort = await freePort();
  const realUrl = `${scheme}://127.0.0.1:${ports.peer}`;
  const ourUrl = `${scheme}://127.0.0.1:${ourPort}`;
  const realId = memberId([realUrl], TOKEN);
  const ourId = memberId([ourUrl], TOKEN);
  const ours = await startPeerMember({
    id: ourId,
    clusterId: clusterId([realId, ourId]),
    port: ourPort,
    ...tls,
  });
  cleanups.push(() => ours.stop());
  prepare(ours, realId);
  ours.transport.addPeer(realId, [realUrl]);
  ours.transport.start();
  const real = await startRealEtcd({
    ports,
    flags: [
      `--initial-cluster=real=${realUrl},test=${ourUrl}`,
      `--listen-peer-urls=${realUrl}`,
      `--initial-advertise-peer-urls=${realUrl}`,
      ...flags,
    ],
  });
  cleanups.push(() => real.stop());
  return { ours, real, realId };
}

function typesOf({ messages }: RecordingReceiver): Set<MessageType> {
  return new Set(messages.map(({ type }) => type));
}

describe.skipIf(!hasRealEtcd)('beside a real etcd', () => {
  it('hears its votes, makes it leader, and gets its log by the msgapp stream', async () => {
    let follower: Follower | undefined;
    const { ours, real, realId } = await startPair((member) => {
      follower = new Follower(member);
    });
    for (let number = 0; number < 20; number++)
      await ctl(real, 'put', `key${number}`, `value${number}`);
    await until('the last put is there', () =>
      (follower?.entries ?? []).some(({ data }) => data.includes('value19')),
    );
    const indexes = follower?.entries.map(({ index }) => index) ?? [];
    expect(indexes).toEqual(indexes.map((_, position) => position + 3));
    expect([...typesOf(ours.receiver)]).toEqual(
      expect.arrayContaining([MessageType.Vote, MessageType.App, MessageType.Heartbeat]),
    );
    expect(ours.receiver.messages.every(({ from, to }) => from === realId && to === ours.id)).toBe(
      true,
    );
    expect(ours.receiver.removals).toBe(0);
    expect(ours.transport.activeSince(realId)).toBeDefined();
    expect(await ours.metricsText()).toMatch(
      /etcd_network_active_peers\{Local="\w+",Remote="\w+"\} 1/,
    );
  }, 60_000);

  it('keeps idle streams alive beyond the read timeout, on both sides', async () => {
    const { ours, real, realId } = await startPair((member) => {
      new Follower(member);
    });
    const alreadyLost = ours.logger.lines.length;
    await sleep(7000);
    expect(ours.logger.lines.slice(alreadyLost).map(({ message }) => message)).not.toContain(
      'lost TCP streaming connection with remote peer',
    );
    expect(ours.transport.activeSince(realId)).toBeDefined();
    expect(await ctl(real, 'endpoint', 'health')).toContain('is healthy');
  }, 60_000);

  it('speaks TLS with it, both sides with certificates', async () => {
    const directory = await tempDir();
    const authority = new TestAuthority(directory);
    const files = authority.issue('peer');
    const tls = await peerTls(directory, {
      certFile: files.certFile,
      keyFile: files.keyFile,
      trustedCaFile: authority.caFile,
      clientCertAuth: true,
    });
    const { ours, real, realId } = await startPair((member) => void new Follower(member), tls, [
      `--peer-cert-file=${files.certFile}`,
      `--peer-key-file=${files.keyFile}`,
      `--peer-trusted-ca-file=${authority.caFile}`,
      '--peer-client-cert-auth',
    ]);
    expect(await ctl(real, 'put', 'key', 'value')).toBe('OK\n');
    expect(ours.transport.activeSince(realId)).toBeDefined();
    expect(typesOf(ours.receiver)).toContain(MessageType.App);
  }, 60_000);

  it('is told apart by a member of another cluster, and by one that does not know it', async () => {
    const real = await startRealEtcd();
    cleanups.push(() => real.stop());
    const url = `http://127.0.0.1:${real.ports.peer}`;
    const realId = memberId([url], TOKEN);
    const own = clusterId([realId]);
    const stranger = await startPeerMember({ id: 0xabcn, clusterId: own });
    cleanups.push(() => stranger.stop());
    stranger.transport.addPeer(realId, [url]);
    stranger.transport.start();
    await until('it is dialed', () => stranger.logger.lines.length > 0);
    const request = (path: string, headers: OutgoingHttpHeaders = {}, method = 'GET') =>
      askPeer(real.ports.peer, path, { ...introduction(0xabcn, own), ...headers }, method);
    const stream = (kind: string, from: string, headers: OutgoingHttpHeaders = {}) =>
      request(`/raft/stream/${kind}/${from}`, { 'X-Raft-To': formatId(realId), ...headers });
    // What etcd itself answers, our own endpoints answer too: see raft-endpoints.test.ts.
    expect(await stream('msgapp', 'abc')).toMatchObject({
      status: 404,
      body: 'error sender not found\n',
      version: '3.4.23',
    });
    expect(await stream('nothing', 'xyz')).toMatchObject({ status: 404, body: 'invalid path\n' });
    expect(await stream('message', 'xyz')).toMatchObject({ status: 404, body: 'invalid from\n' });
    expect(await stream('message', 'abc', { 'X-Etcd-Cluster-ID': 'ff' })).toMatchObject({
      status: 412,
      body: 'cluster ID mismatch\n',
    });
    expect(
      await stream('message', 'abc', { 'X-Server-Version': '2.3.0', 'X-Etcd-Cluster-ID': 'ff' }),
    ).toMatchObject({ status: 412, body: 'incompatible version\n' });
    expect(await stream('message', 'abc', { 'X-Min-Cluster-Version': '3.9.0' })).toMatchObject({
      status: 412,
      body: 'incompatible version\n',
    });
    expect((await request('/raft/probing')).body).toMatch(/^\{"OK":true,"Now":"[^"]+"\}\n$/);
    expect(stranger.receiver.removals).toBe(0);
    expect(stranger.transport.activeSince(realId)).toBeUndefined();
  }, 60_000);

  it('sends a snapshot with its database when we have lost the log', async () => {
    let follower: Follower | undefined;
    const { ours, real, realId } = await startPair(
      (member) => {
        follower = new Follower(member);
      },
      {},
      ['--snapshot-count=100'],
    );
    await putMany(real, COMPACTED_ENTRIES + 500);
    let database = Buffer.alloc(0);
    let databaseIndex = 0;
    ours.receiver.saveSnapshotDatabase = async (index, blocks) => {
      const all: Buffer[] = [];
      for await (const block of blocks) all.push(block);
      database = Buffer.concat(all);
      databaseIndex = index;
    };
    follower?.forget(realId);
    const snapshotOf = (message: Message) => message.type === MessageType.Snap;
    await until('the snapshot is there', () => ours.receiver.messages.some(snapshotOf));
    const { snapshot } = ours.receiver.messages.find(snapshotOf) ?? {};
    expect(snapshot?.index).toBeGreaterThan(COMPACTED_ENTRIES);
    expect(databaseIndex).toBe(snapshot?.index);
    expect(new Set(snapshot?.confState.voters)).toEqual(new Set([realId, ours.id]));
    expect(Object.keys(JSON.parse(String(snapshot?.data)) as object)).toContain('Root');
    // The magic number of a bbolt file, and whole pages.
    expect(database.readUInt32LE(16)).toBe(0xed0c_daed);
    expect(database.length % 4096).toBe(0);
    expect(ours.receiver.removals).toBe(0);
  }, 120_000);

  const fixture = sharedPath('fixtures', 'v3.4.23.snapshot.db.gz');
  it.skipIf(fixture === undefined)(
    'takes a snapshot of ours',
    async () => {
      const database = gunzipSync(readFileSync(fixture ?? ''));
      const { ours, realId } = await startPair((member) => {
        new Follower(member);
      });
      let closed = 0;
      ours.receiver.onMessage = undefined;
      ours.transport.sendSnapshot(
        messageOf(MessageType.Snap, ours.id, realId, {
          // Of an old term, so that Raft leaves it alone after it has been stored.
          term: 1,
          snapshot: {
            data: Buffer.from('{}'),
            index: 4711,
            term: 1,
            confState: { ...EMPTY_CONF_STATE, voters: [realId, ours.id] },
          },
        }),
        {
          bytes: database.length,
          async *blocks() {
            for (let at = 0; at < database.length; at += 10_000) {
              yield database.subarray(at, at + 10_000);
            }
          },
          close: () => {
            closed++;
          },
        },
      );
      await until('the snapshot is over', () => ours.receiver.snapshots.length > 0);
      expect(ours.receiver.snapshots).toEqual([{ id: realId, succeeded: true }]);
      expect(closed).toBe(1);
    },
    60_000,
  );
});
