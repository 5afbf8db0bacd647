import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ServerProgram } from './server-process.js';

/** Linux keeps the highest mark itself, so that nothing but the last moments can be missed. */
const POLL_MILLIS = 10;
const ERROR_TAIL = 1000;

export interface ToolRun {
  readonly seconds: number;
  /** Most physical memory at a time, octets. */
  readonly peak: number;
}

/** Runs a command to its end; throws what it said if it fails. */
export function runTool(program: ServerProgram, args: readonly string[]): Promise<ToolRun> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(program.command, [...program.args, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    let peak = 0;
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-ERROR_TAIL);
    });
    const timer = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid));
    }, POLL_MILLIS);
    child.once('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.once('exit', (code) => {
      const seconds = (performance.now() - started) / 1000;
      clearInterval(timer);
      if (code === 0) resolve({ seconds, peak });
      else reject(new Error(`${program.command} ${args.join(' ')}: exit ${code}\n${errors}`));
    });
  });
}

/** 0 of a process that has ended. */
function peakOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return 0;
    throw error;
  }
}
