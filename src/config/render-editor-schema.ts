import { z } from 'zod';

/** The JSON schema that editors check keygate.yaml against. Draft 7 is the one that all of them know. */
export function renderEditorSchema(schema: z.ZodObject): string {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // What describe.ts reads from the metadata means nothing to an editor.
      for (const own of ['form', 'secret', 'mustExist', 'listens', 'reloads']) delete jsonSchema[own];
    },
  });
  return `${JSON.stringify({ ...json, title: 'Keygate configuration' }, null, 2)}\n`;
}
