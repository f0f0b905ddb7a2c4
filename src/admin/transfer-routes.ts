import { z } from 'zod';
import type { Route } from './route.ts';
import { BAD_REQUEST } from './schemas.ts';
import type { TransferOperations } from './transfer-operations.ts';
import {
  DEFAULT_EXPORT_LIMIT,
  exportPageSchema,
  importAnswerSchema,
  importRequestSchema,
  MAX_EXPORT_LIMIT,
} from './transfer-schemas.ts';

/** The routes that carry keys from one store to another. */
export function createTransferRoutes(operations: TransferOperations): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/api/security/keys/import',
      access: 'import-keys',
      operationId: 'importKeys',
      summary: 'Import keys and tokens by their digests. What is there already is left alone.',
      body: importRequestSchema,
      answers: { 200: { description: 'What became of each line.', schema: importAnswerSchema }, 400: BAD_REQUEST },
      handle: operations.importKeys,
    },
    {
      method: 'GET',
      path: '/api/security/keys/export',
      access: 'export-keys',
      operationId: 'exportKeys',
      summary: 'Export keys and tokens with their digests, page by page.',
      query: [
        { name: 'after', description: 'Where to read on from: "next" of the page before.', schema: z.string() },
        {
          name: 'limit',
          description: 'How many keys are looked at; the page has those of them that are wanted.',
          schema: z.int().min(1).max(MAX_EXPORT_LIMIT).default(DEFAULT_EXPORT_LIMIT),
        },
        {
          name: 'all',
          description: 'true: those that were deleted, expired or replaced as well.',
          schema: z.boolean().default(false),
        },
      ],
      answers: { 200: { description: 'A page.', schema: exportPageSchema }, 400: BAD_REQUEST },
      handle: operations.exportKeys,
    },
  ];
}
