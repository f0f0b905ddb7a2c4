import { z } from 'zod';
import { duration } from './units.ts';

export const replica = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9_.:/-]{1,100}$/, 'must be 1 to 100 letters, digits, ".", "_", ":", "/" or "-"')
      .nullable()
      .default(null)
      .describe('What --wait and explain call this gateway. null: the name of the host and the number of the process.')
      .meta({ form: 'a short name', examples: ['eu-west-1/gateway-3'] }),
  })
  .prefault({})
  .describe('This gateway among those that share its key store.');

export const canary = z
  .strictObject({
    interval: duration('0s', '1h')
      .prefault('30s')
      .describe(
        'How often a key that nobody knows is made, revoked, and watched until it is refused, to measure how long that ' +
          'takes. 0s: never.',
      ),
  })
  .prefault({})
  .describe('Whether revocation works is measured all the time: see docs/revocation.md.');
