import { z } from 'zod';
import { parseEncryptionKey, REVEALABLE_TYPES } from '../keys/seal.ts';
import { tokens } from './tokens-section.ts';
import { carrierName, freeHeaderName, inputFile, label, secret } from './values.ts';

const pepper = z.strictObject({
  id: label.describe('Names this pepper; it is stored beside each digest.').meta({ examples: ['2026'] }),
  secret: secret
    .min(16, 'must have at least 16 characters')
    .describe('The pepper itself. Keep it outside the store and its backups.')
    .meta({ examples: ['at-least-16-random-characters'] }),
});

const receiverKey = z.strictObject({
  name: z
    .string()
    .min(1, 'must not be empty')
    .max(100, 'must have at most 100 characters')
    .describe('What logs, metrics and the collector call this key.')
    .meta({ examples: ['legacy-agents'] }),
  key: secret
    .nullable()
    .default(null)
    .describe('The key itself: at most 512 visible characters, without spaces and commas. Set this or keyFile.'),
  keyFile: inputFile
    .nullable()
    .default(null)
    .describe('A file that holds the key.')
    .meta({ examples: ['/run/secrets/legacy-agents'] }),
  tenant: z
    .string()
    .min(1, 'must not be empty')
    .nullable()
    .default(null)
    .describe('Sent to the collector as x-keygate-tenant.'),
});

const encryptionKey = z.strictObject({
  id: label
    .describe('Names this key; it is stored beside each copy that was sealed with it.')
    .meta({ examples: ['2026'] }),
  secret: secret
    .refine((text) => parseEncryptionKey(text) !== undefined, 'must be 32 bytes in base64: openssl rand -base64 32')
    .describe('The key itself, such as openssl rand -base64 32 makes. Keep it outside the store and its backups.')
    .meta({ form: '32 bytes in base64', secret: true, examples: [`${'A'.repeat(43)}=`] }),
});

const revealable = z
  .strictObject({
    types: z
      .array(z.enum(REVEALABLE_TYPES))
      .max(REVEALABLE_TYPES.length)
      .default([])
      .describe('Types of ingestion keys that can be revealed; none: keys without a type. Off for all of them if empty.'),
    encryptionKey: encryptionKey
      .nullable()
      .default(null)
      .describe('Seals the texts of such keys, with AES-256-GCM, when they are made.'),
    previousEncryptionKeys: z
      .array(encryptionKey)
      .max(8)
      .default([])
      .describe('Keys that older texts were sealed with. Remove one when no ingestion key of its time is left.'),
  })
  .prefault({})
  .describe('Keys that an administrator may see again; off unless types are named.');

/** What the configuration says of keys: how they are sent, and those that it holds itself. */
export const keys = z
  .strictObject({
    pepper: pepper
      .nullable()
      .default(null)
      .describe('With a pepper, keys are stored as HMAC-SHA-256 instead of SHA-256: a stolen store alone is useless.'),
    previousPeppers: z
      .array(pepper)
      .max(8)
      .default([])
      .describe('Peppers that older keys were stored with. Remove one when no key of its time is left.'),
    revealable,
    receiverKeys: z
      .array(receiverKey)
      .max(1_000)
      .default([])
      .describe('Receiver API keys: they are set here, known without the store, and never expire.')
      .meta({ reloads: 'yes' }),
    schemes: z
      .array(
        z
          .string()
          .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be one word without spaces')
          .refine((scheme) => scheme.toLowerCase() !== 'basic', 'must not be Basic, which basicUsers is about')
          .meta({ form: 'one word' }),
      )
      .max(16)
      .default(['StackState', 'SUSEObservability', 'ApiKey', 'Bearer'])
      .describe('The words allowed before the key in Authorization, in any case.'),
    bareAuthorization: z
      .boolean()
      .default(false)
      .describe('Also take "Authorization: <key>" without a word before the key.'),
    basicUsers: z
      .array(
        z
          .string()
          .regex(/^[^:]{1,100}$/, 'must be 1 to 100 characters without a colon')
          .meta({ form: 'a user name' }),
      )
      .max(16)
      .default(['apikey', 'groundcover'])
      .describe('User names that may carry a key as the password of Basic authorization.'),
    carriers: z
      .array(carrierName)
      .max(16)
      .default(['x-api-key', 'apikey', 'sts-api-key'])
      .describe(
        'Headers, besides Authorization, that hold a key and nothing else. Whatever stands in one of them is a key, and never ' +
          'goes on. groundcover also knows token, api_key, dd-api-key and x-amz-firehose-access-key.',
      ),
    tenantHeader: freeHeaderName
      .nullable()
      .default(null)
      .describe(
        'A header that tells the collector the tenant of a key, besides x-keygate-tenant, such as x-scope-orgid. ' +
          'What senders put in it is removed.',
      ),
    tokens,
  })
  .prefault({})
  .describe('How keys are sent and stored.');
