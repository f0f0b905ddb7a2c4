import { z } from 'zod';
import { transferredSchema } from '../keys/transfer.ts';

/** What goes over the wire when keys are carried from one store to another. docs/import-export.md tells of it. */

/** With MAX_BODY_BYTES: what a gateway does in one go, while senders of telemetry wait. */
export const MAX_IMPORT_LINES = 200;
export const MAX_EXPORT_LIMIT = 1_000;
export const DEFAULT_EXPORT_LIMIT = 500;

export const importRequestSchema = z.object({
  lines: z
    .array(z.looseObject({}))
    .min(1, 'must have at least one line')
    .max(MAX_IMPORT_LINES, `must have at most ${MAX_IMPORT_LINES} lines`)
    .describe('Keys as an export has them, or of other systems, with a digest and no id.'),
  dryRun: z.boolean().optional().describe('true: say what would become of each, and change nothing.'),
});

export const importAnswerSchema = z.strictObject({
  results: z
    .array(
      z.strictObject({
        outcome: z
          .enum(['imported', 'unchanged', 'refused'])
          .describe('unchanged: it is there already, with the same id and digest.'),
        id: z.string().optional(),
        name: z.string().optional(),
        reason: z.string().optional().describe('Why it was refused.'),
      }),
    )
    .describe('What became of each line, in their order.'),
});

/** The stored record, whose checked texts are plain ones over the wire. */
const transferredKeySchema = transferredSchema.extend({
  digest: z.string().describe('sha256: or hmac-<id of a pepper>: and 64 hexadecimal digits.'),
  cidrs: z.array(z.string()).optional(),
  origins: z.array(z.string()).optional(),
  limits: z
    .strictObject({
      requestsPerSecond: z.int().optional(),
      requestBurst: z.int().optional(),
      bytesPerSecond: z.int().optional(),
      byteBurst: z.int().optional(),
    })
    .optional(),
});

export const exportPageSchema = z.strictObject({
  keys: z.array(transferredKeySchema).describe('Keys as they are stored; never a text or a sealed copy of one.'),
  next: z.string().optional().describe('Send it as "after" for the next page; absent on the last one.'),
});

/** The names under which the OpenAPI document refers to these shapes. */
export const namedTransferSchemas = {
  ImportRequest: importRequestSchema,
  ImportAnswer: importAnswerSchema,
  TransferredKey: transferredKeySchema,
  ExportPage: exportPageSchema,
};

export type ImportAnswer = z.output<typeof importAnswerSchema>;
export type ImportResult = ImportAnswer['results'][number];
export type ExportedPage = z.output<typeof exportPageSchema>;
