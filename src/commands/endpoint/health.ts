import { formatGoMillis } from '../../base/go-format.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import { ENDPOINT_FLAGS, type Section } from '../../cli/faces.js';
import type { EndpointHealth as Health } from '../../cli/printers/printer.js';
import type { Session } from '../../cli/session.js';
import { targetEndpoints } from '../../cli/target-endpoints.js';
import { errorText } from '../../client/errors.js';
import { nodeClock } from '../../platform/node-clock.js';
import { isEtcdError } from '../../proto/errors.js';
import { type AlarmMember, AlarmType } from '../../proto/gen/etcdserverpb/rpc.js';

/** `endpoint health` (reference: cli 5.2). */
export default class EndpointHealth extends ClientCommand<typeof ENDPOINT_FLAGS> {
  static override summary = 'Checks the healthiness of endpoints specified in `--endpoints` flag';
  static override usage = 'endpoint health';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = ENDPOINT_FLAGS;
  protected override readonly loggerName = 'client';

  protected override async execute(): Promise<void> {
    await this.withSession(async (session, printer) => {
      const endpoints = await targetEndpoints(session, session.values.cluster === true);
      // In the order in which they answer.
      const found: Health[] = [];
      const failures: unknown[] = [];
      await Promise.all(
        endpoints.map(async (endpoint) => {
          found.push(await this.checkHealth(session, endpoint, failures));
        }),
      );
      const { stdout, stderr } = printer.endpointHealth(found);
      this.terminal.out(stdout);
      this.terminal.error(stderr);
      for (const failure of failures) this.tellBrokenLayer(failure);
      if (found.some(({ health }) => !health)) {
        throw new CommandFailure(ExitCode.Error, 'unhealthy cluster');
      }
    });
  }

  /** A proposal must go through, and no alarm be raised. */
  private async checkHealth(
    session: Session,
    endpoint: string,
    failures: unknown[],
  ): Promise<Health> {
    let started = nodeClock.monotonicMillis();
    const result = (error: string): Health => ({
      endpoint,
      health: error === '',
      took: formatGoMillis(nodeClock.monotonicMillis() - started),
      error,
    });
    try {
      const client = await session.client([endpoint]);
      started = nodeClock.monotonicMillis();
      const options = session.deadline();
      await client.kv.range({ key: Buffer.from('health') }, options).catch((error) => {
        // Whoever may not read the key learned that through consensus.
        if (!isEtcdError(error, 'PermissionDenied')) throw error;
      });
      const healthy = result('');
      const alarms = await client.maintenance.alarmList(options).then(
        (response) => response.alarms,
        () => undefined,
      );
      const error = alarms === undefined ? 'Unable to fetch the alarm list' : alarmText(alarms);
      return { ...healthy, health: error === '', error };
    } catch (error) {
      failures.push(error);
      return result(errorText(error));
    }
  }
}

function alarmText(alarms: readonly AlarmMember[]): string {
  if (alarms.length === 0) return '';
  const words = alarms.map(({ alarm }) => {
    if (alarm === AlarmType.NOSPACE) return 'NOSPACE ';
    return alarm === AlarmType.CORRUPT ? 'CORRUPT ' : 'UNKNOWN ';
  });
  return `Active Alarm(s): ${words.join('')}`;
}
