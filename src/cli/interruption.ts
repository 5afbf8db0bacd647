/** What asks a command to stop. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs work that takes back what it made when it is told to stop. The signal that told it so is
 * raised anew afterwards, so that the parent sees what ended the process; a second one ends it at
 * once.
 */
export async function undoneBySignals(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const listeners = SIGNALS.map((name) => {
    const listener = () => controller.abort(name);
    process.once(name, listener);
    return { name, listener };
  });
  try {
    await work(controller.signal);
  } catch (error) {
    if (error !== controller.signal.reason) throw error;
    for (const { name, listener } of listeners) process.removeListener(name, listener);
    const [raised] = SIGNALS.filter((name) => name === error);
    if (raised !== undefined) process.kill(process.pid, raised);
    await new Promise(() => {});
  } finally {
    for (const { name, listener } of listeners) process.removeListener(name, listener);
  }
}
