import { z } from 'zod';
import { SIGNALS } from '../keys/record.ts';
import { KEY_TYPES, MAX_BYTE_LIMIT, MAX_REQUEST_LIMIT } from '../keys/scope.ts';

const requestLimit = z.int().min(1).max(MAX_REQUEST_LIMIT);
const byteLimit = z.int().min(1).max(MAX_BYTE_LIMIT);

/** What a key may be limited to. StackState's shapes have none of it, so it is there only where it was asked for. */
export const scope = {
  type: z
    .enum(KEY_TYPES)
    .optional()
    .describe(
      'rum: for pages in browsers, taken over OTLP/HTTP and on the RUM routes. sensor: for agents, taken over OTLP, and ' +
        'the only ones that read remote configuration. thirdParty: taken over OTLP. Without it: over OTLP and on the RUM routes.',
    ),
  signals: z.array(z.enum(SIGNALS)).optional().describe('What it may send. Without it: everything.'),
  cidrs: z
    .array(z.string())
    .optional()
    .describe('Networks or addresses that it may be used from, such as 10.0.0.0/8. Without it: all of them.'),
  origins: z
    .array(z.string())
    .optional()
    .describe(
      'Web origins that it may be used from, such as https://shop.example.com, or *. Without it: all, and none.',
    ),
  tenant: z.string().optional().describe('Told to the collector with each request.'),
  tags: z.array(z.string()).optional().describe('Words to know it by; they limit nothing.'),
  limits: z
    .strictObject({
      requestsPerSecond: requestLimit.optional(),
      requestBurst: requestLimit.optional(),
      bytesPerSecond: byteLimit.optional(),
      byteBurst: byteLimit.optional(),
    })
    .optional()
    .describe('How much it may send, on average and at once. A burst that is not given is what a second brings.'),
};

/** The same fields for a key that is there: what is not sent stays as it is, null removes it. */
export const scopeUpdate = {
  type: scope.type.nullable().describe('null: no type in particular.'),
  signals: scope.signals.nullable().describe('null: it may send everything.'),
  cidrs: scope.cidrs.nullable().describe('null: it may be used from everywhere.'),
  origins: scope.origins.nullable().describe('null: it may be used from every page, and from none.'),
  tenant: scope.tenant.nullable().describe('null: none.'),
  tags: scope.tags.nullable().describe('null: none.'),
  limits: z
    .strictObject({
      requestsPerSecond: requestLimit.nullable().optional(),
      requestBurst: requestLimit.nullable().optional(),
      bytesPerSecond: byteLimit.nullable().optional(),
      byteBurst: byteLimit.nullable().optional(),
    })
    .nullable()
    .optional()
    .describe('One amount may change while the others stay; null removes it, or all of them.'),
};
