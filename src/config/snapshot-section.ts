import { z } from 'zod';
import { duration } from './units.ts';
import { filePath, secret } from './values.ts';

/** Known keys on disk, for a start while the store is away. */
export const snapshot = z
  .strictObject({
    path: filePath
      .describe('The file; it is created if it is not there. Put it on a disk that outlives the process.')
      .meta({ examples: ['/var/lib/keygate/snapshot'] }),
    secret: secret
      .min(16, 'must have at least 16 characters')
      .describe('What the file is signed with (HMAC-SHA-256), so that nobody else can put keys into it.')
      .meta({ examples: ['at-least-16-random-characters'] }),
    interval: duration('1s', '1h')
      .prefault('1m')
      .describe('How often it is written when something has changed. Changes of keys are written within a second.'),
  })
  .nullable()
  .default(null)
  .describe(
    'With a snapshot, a gateway that starts while Redis is away serves the keys it knew before, as long as staleFor says. ' +
      'It holds digests, never keys. Not needed with SQLite, whose file is here anyway.',
  );
