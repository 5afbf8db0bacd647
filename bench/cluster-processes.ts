import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { HashKVResponse, StatusResponse } from '../src/proto/gen/etcdserverpb/rpc.js';
import { ServerProcess, type ServerProgram } from './server-process.js';
import { unaryCall } from './unary-call.js';

const MEMBER_NAMES = ['m1', 'm2', 'm3'];
/** Followers apply what the leader has answered within this time. */
const CATCH_UP_MILLIS = 10_000;
const POLL_MILLIS = 50;
const EMPTY = Buffer.alloc(0);

/** Who is who in a cluster. */
export interface Roles {
  readonly leader: ServerProcess;
  readonly follower: ServerProcess;
}

/** The processes of a cluster of three members. */
export class ClusterProcesses {
  readonly directory: string;
  readonly #members: readonly ServerProcess[];

  private constructor(directory: string, members: readonly ServerProcess[]) {
    this.directory = directory;
    this.#members = members;
  }

  /** Prepares a cluster that keeps its data below `directory`, which exists. */
  static async create(
    directory: string,
    program: (member: string) => ServerProgram,
  ): Promise<ClusterProcesses> {
    const plans = MEMBER_NAMES.map((name) => {
      const own = join(directory, name);
      mkdirSync(own);
      return { name, program: program(name), directory: own };
    });
    return new ClusterProcesses(directory, await ServerProcess.createCluster(plans));
  }

  get pids(): number[] {
    return this.#members.map(({ pid }) => pid);
  }

  /** Resolves when every member serves. */
  async start(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.start()));
  }

  /** One after the other: a leader that goes waits for another one that stays. */
  async stop(): Promise<void> {
    for (const member of this.#members) await member.stop();
  }

  /** Kills the processes without waiting for their end. */
  killNow(): void {
    for (const member of this.#members) member.killNow();
  }

  /** @throws Error if nobody leads */
  async roles(): Promise<Roles> {
    const statuses = await this.#askAll('/etcdserverpb.Maintenance/Status', StatusResponse);
    const leads = statuses.map(({ header, leader }) => header?.memberId === leader);
    const leader = this.#members[leads.indexOf(true)];
    const follower = this.#members[leads.indexOf(false)];
    if (leader === undefined || follower === undefined) throw new Error('nobody leads');
    return { leader, follower };
  }

  /**
   * Checks that all members have the same keys with the same histories.
   * @throws Error if they don't
   */
  async verifyEqual(): Promise<void> {
    const deadline = performance.now() + CATCH_UP_MILLIS;
    for (;;) {
      const hashes = await this.#askAll('/etcdserverpb.Maintenance/HashKV', HashKVResponse);
      const texts = hashes.map(
        ({ header, hash, compactRevision }) => `${header?.revision}/${compactRevision}: ${hash}`,
      );
      if (new Set(texts).size === 1) return;
      if (performance.now() > deadline) throw new Error(`members differ: ${texts.join(', ')}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
    }
  }

  #askAll<Response>(
    method: string,
    codec: Parameters<typeof unaryCall<Response>>[3],
  ): Promise<Response[]> {
    return Promise.all(
      this.#members.map(async ({ port }) => {
        const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
        try {
          return await unaryCall(client, method, EMPTY, codec);
        } finally {
          client.close();
        }
      }),
    );
  }
}
