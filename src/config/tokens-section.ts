import { z } from 'zod';
import { duration } from './units.ts';
import { routePath, secret } from './values.ts';

const signingSecret = secret.min(32, 'must have at least 32 characters: openssl rand -base64 32');

/** What the configuration says of tokens that keys are exchanged for. */
export const tokens = z
  .strictObject({
    secret: signingSecret
      .nullable()
      .default(null)
      .describe('Signs tokens; the same for all gateways. Without it, no key is exchanged for one.')
      .meta({ examples: ['at-least-32-random-characters-of-yours'] }),
    previousSecrets: z
      .array(signingSecret)
      .max(8)
      .default([])
      .describe('Tokens that were signed with these are taken too: former secrets, or one that is to come.'),
    lifetime: duration('10s', '24h').prefault('1h').describe('How long a token may be used; never longer than its key.'),
    paths: z
      .array(routePath)
      .max(4)
      .default(['/identity/token'])
      .describe('Where keys are exchanged, on the data ports, as at IBM Cloud IAM. The paths must match exactly.'),
  })
  .prefault({})
  .describe('Tokens that stand for a key for a while, for clients of IBM Cloud IAM; off unless there is a secret.');
