import type { LevelSetting } from '../log-levels.ts';
import type { AdjustableLog } from './log.ts';

export interface LogLevelState {
  readonly level: LevelSetting;
  /** What the configuration says, and a restart brings back. */
  readonly configured: LevelSetting;
  /** When it goes back to that by itself, in milliseconds since the epoch. */
  readonly untilMs: number | undefined;
}

export interface LogLevelChange {
  readonly level: LevelSetting;
  /** For so long; until the next change or a restart, if absent. */
  readonly forMs: number | undefined;
  /** Who wants it, and from where, for the log. */
  readonly actor: string;
  readonly address: string | undefined;
}

/** The level of the log while the gateway runs. */
export interface LogLevelControl {
  state(): LogLevelState;
  /** `forMs` is what a timer can hold, at most. */
  change(change: LogLevelChange): LogLevelState;
  /** The configuration says something else from now on: that holds, whatever was set meanwhile. */
  configure(level: LevelSetting): void;
  close(): void;
}

export function createLogLevelControl(log: AdjustableLog, now: () => number): LogLevelControl {
  let configured = log.level();
  let untilMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** Whoever makes a log silent is in it all the same: this line is written whatever the level was, and will be. */
  function set(level: LevelSetting, who: { readonly actor: string; readonly address?: string | undefined }): void {
    const before = log.level();
    log.setLevel('info');
    const until = untilMs === undefined ? undefined : new Date(untilMs).toISOString();
    log('info', 'the level of the log was changed', { ...who, before, after: level, until });
    log.setLevel(level);
  }

  function state(): LogLevelState {
    return { level: log.level(), configured, untilMs };
  }

  return {
    state,
    change({ level, forMs, actor, address }) {
      clearTimeout(timer);
      untilMs = forMs === undefined ? undefined : now() + forMs;
      set(level, { actor, address });
      if (forMs !== undefined) {
        timer = setTimeout(() => {
          untilMs = undefined;
          set(configured, { actor: 'keygate' });
        }, forMs).unref();
      }
      return state();
    },
    configure(level) {
      clearTimeout(timer);
      untilMs = undefined;
      configured = level;
      set(level, { actor: 'configuration' });
    },
    close: () => clearTimeout(timer),
  };
}
