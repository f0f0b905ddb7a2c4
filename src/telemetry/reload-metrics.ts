import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ReloadObserver } from '../reload.ts';
import type { Log } from './log.ts';

export type ReloadMetrics = ReturnType<typeof createReloadMetrics>;

const RESULTS = ['applied', 'partial', 'unchanged', 'refused'] as const;
/** A file that is no configuration at all may have a fault in each line. */
const MAX_FAULT_LINES = 50;

/** How new configurations were taken; the names are those that Prometheus has for its own. */
export function createReloadMetrics(registers: Registry[]) {
  const reloads = new Counter({
    name: 'keygate_config_reloads_total',
    help: 'Configurations read while running: applied, partial (some options wait for a restart), unchanged or refused.',
    labelNames: ['result'],
    registers,
  });
  const successful = new Gauge({
    name: 'keygate_config_last_reload_successful',
    help: 'Whether the configuration that was read last was good (1) or refused (0).',
    registers,
  });
  const succeededAt = new Gauge({
    name: 'keygate_config_last_reload_success_timestamp_seconds',
    help: 'When a good configuration was read last, in seconds since the epoch; at first, the start.',
    registers,
  });
  const awaitingRestart = new Gauge({
    name: 'keygate_config_options_awaiting_restart',
    help: 'Options that say something else in the configuration than what holds, because only a restart changes them.',
    registers,
  });
  for (const result of RESULTS) reloads.inc({ result }, 0);
  successful.set(1);
  succeededAt.setToCurrentTime();

  return {
    refused(): void {
      reloads.inc({ result: 'refused' });
      successful.set(0);
    },
    taken(result: 'applied' | 'partial' | 'unchanged', waiting: number): void {
      reloads.inc({ result });
      successful.set(1);
      succeededAt.setToCurrentTime();
      awaitingRestart.set(waiting);
    },
  };
}

/** In the log as check-config says it: each fault with its option and value, but for secrets. */
export function reloadObserver(metrics: ReloadMetrics, log: Log): ReloadObserver {
  const refusal = 'the new configuration is refused; the old one stays';
  return {
    reloaded(reloaded) {
      if (reloaded.result === 'refused') {
        metrics.refused();
        return log('error', refusal, { cause: reloaded.cause });
      }
      const { result, applied, needRestart } = reloaded;
      metrics.taken(result, needRestart.length);
      if (applied.length > 0) log('info', 'the configuration has changed', { options: applied.join(', ') });
      if (needRestart.length > 0) {
        log('warn', 'some options have changed that only a restart changes; they keep their old value', {
          options: needRestart.join(', '),
        });
      }
      if (result === 'unchanged') log('info', 'the configuration was read again; nothing in it has changed');
    },
    refused(faults) {
      metrics.refused();
      log('error', refusal, { count: faults.length });
      for (const { path, message, value, where } of faults.slice(0, MAX_FAULT_LINES)) {
        const option = path === '' ? undefined : path;
        log('error', 'a fault of the new configuration', { option, option_value: value, cause: message, where });
      }
    },
  };
}
