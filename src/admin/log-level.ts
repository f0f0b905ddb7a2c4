import { z } from 'zod';
import { LOG_LEVELS } from '../log-levels.ts';
import type { LevelSetting } from '../log-levels.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { actorOf } from './caller.ts';
import type { Call } from './route.ts';
import { epochMs } from './schemas.ts';

/** What goes over the wire about the level of one gateway's log. */

/** For longer, the configuration is the place. */
export const MAX_LEVEL_MS = 24 * 3_600_000;

const level = z.enum(LOG_LEVELS);

export const logLevelSchema = z.strictObject({
  gateway: z.string().describe('Its name among the replicas.'),
  level: level.describe('The least severe lines that are written.'),
  configured: level.describe('What log.level says: a restart brings it back.'),
  until: epochMs.optional().describe('When it goes back to that by itself.'),
});

export const newLogLevelSchema = z.strictObject({
  level,
  duration: z
    .int()
    .min(1_000)
    .max(MAX_LEVEL_MS)
    .optional()
    .describe(
      'Milliseconds, a day at most: then it goes back to the configured one. Without it, it stays until a restart.',
    ),
});

export type ShownLogLevel = z.output<typeof logLevelSchema>;
export type NewLogLevel = z.output<typeof newLogLevelSchema>;

export const namedLogLevelSchemas = { LogLevel: logLevelSchema, NewLogLevel: newLogLevelSchema };

interface State {
  readonly level: LevelSetting;
  readonly configured: LevelSetting;
  readonly untilMs: number | undefined;
}

export interface LogLevelDeps {
  readonly state: () => State;
  readonly change: (change: {
    readonly level: LevelSetting;
    readonly forMs: number | undefined;
    readonly actor: string;
    readonly address: string | undefined;
  }) => State;
  readonly gateway: string;
  readonly now: () => number;
}

export type LogLevelOperations = ReturnType<typeof createLogLevelOperations>;

export function createLogLevelOperations({ state, change, gateway, now }: LogLevelDeps) {
  const shown = ({ level: current, configured, untilMs }: State): Answer => {
    const body: ShownLogLevel = {
      gateway,
      level: current,
      configured,
      ...(untilMs !== undefined && { until: untilMs }),
    };
    return { status: 200, body };
  };
  return {
    get: (): Answer => shown(state()),
    async set(call: Call): Promise<Answer> {
      const parsed = await readBody({ now }, call.request, newLogLevelSchema);
      if ('refused' in parsed) return parsed.refused;
      const { level: wanted, duration: forMs } = parsed.value;
      const { name: actor, address } = actorOf(call);
      return shown(change({ level: wanted, forMs, actor, address }));
    },
  };
}
