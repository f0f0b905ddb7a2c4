import type { Config } from '../config/schema.ts';

/**
 * The configuration of one of so many workers: what bounds memory, or the store's load, for the whole gateway, is divided. Not what
 * each needs for itself, such as room for the keys of its senders.
 */
export function shareOf(config: Config, workers: number): Config {
  const share = (whole: number): number => Math.ceil(whole / workers);
  return {
    ...config,
    cache: {
      ...config.cache,
      maxLookups: share(config.cache.maxLookups),
      maxUnknownLookups: share(config.cache.maxUnknownLookups),
    },
    limits: { ...config.limits, maxHeld: share(config.limits.maxHeld) },
  };
}

/** How many workers the configuration asks for, on a machine with so many cores. */
export function workersOf({ workers }: Pick<Config, 'workers'>, cores: number): number {
  return workers === 'auto' ? cores : workers;
}
