import { z } from 'zod';
import { LOG_LEVELS } from '../log-levels.ts';

export const log = z
  .strictObject({
    level: z
      .enum(LOG_LEVELS)
      .default('info')
      .describe('The least severe lines that are written. keygate log-level changes it while the gateway runs.')
      .meta({ reloads: 'yes' }),
    format: z.enum(['auto', 'json', 'text']).default('auto').describe('auto: text on a terminal, JSON otherwise.'),
    acceptedEvery: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe(
        'One accepted request of so many is a line, with its key and how long the collector took; at most 50 a second. 0: none, ' +
          'because such lines say who sends what and when, and how much of it there is the metrics say better.',
      ),
  })
  .prefault({})
  .describe('Logs go to standard output.');
