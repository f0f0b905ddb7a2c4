/** What `log.level` may say, from the most talkative on: lines that are less severe are not written. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LevelSetting = (typeof LOG_LEVELS)[number];

/** How severe each is, from 0. */
export const SEVERITY = Object.fromEntries(LOG_LEVELS.map((level, i) => [level, i])) as Readonly<
  Record<LevelSetting, number>
>;

/** What a line may be. */
export type LogLevel = Exclude<LevelSetting, 'silent'>;
