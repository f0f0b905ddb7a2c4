import { z } from 'zod';
import { address, target } from './values.ts';

export const admin = z
  .strictObject({
    address: address
      .default('127.0.0.1:7070')
      .describe(
        'Where the admin API and the console listen. They ask for service tokens; keep them off public networks all the same.',
      ),
    publicUrl: target
      .nullable()
      .default(null)
      .describe(
        'The address of the console as it stands in the browser, where a proxy is in front of it. Without it the console is ' +
          'opened as localhost or by an IP address only, so that no page of another site can pass for it.',
      )
      .meta({ examples: ['https://keygate.example.com'] }),
  })
  .prefault({})
  .describe('The REST API that manages keys and tokens, and the console in the browser.');
