import { readFileSync } from 'node:fs';

/** Linux counts process times in hundredths of a second (USER_HZ) on every architecture. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that a process has used so far, user and system. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, the name, may contain spaces; it ends at the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const userTicks = Number(fields[11]);
  const systemTicks = Number(fields[12]);
  return (userTicks + systemTicks) / TICKS_PER_SECOND;
}

/** Measures the CPU time of this process and of the servers' from its creation on. */
export class CpuMeter {
  readonly #serverPids: readonly number[];
  readonly #server: number;
  readonly #client: NodeJS.CpuUsage;

  constructor(serverPids: readonly number[]) {
    this.#serverPids = serverPids;
    this.#server = sumOf(serverPids);
    this.#client = process.cpuUsage();
  }

  read(): { clientCpuSeconds: number; serverCpuSeconds: number } {
    const { user, system } = process.cpuUsage(this.#client);
    return {
      clientCpuSeconds: (user + system) / 1e6,
      serverCpuSeconds: sumOf(this.#serverPids) - this.#server,
    };
  }
}

function sumOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}
