import { z } from 'zod';

export const workers = z
  .union([z.enum(['auto']), z.int().min(1).max(64)])
  .default(1)
  .describe(
    'How many processes serve senders, behind the same ports; auto: one for each core. One carries what most have to send, in ' +
      'one process and in the least memory; replicas are added more easily, and outlive a machine. More are for a machine that ' +
      'is this gateway’s alone: each takes about 60 MiB and keys in a memory of its own (ps shows 120, for it counts the program with each), ' +
      'beside a process that hands out connections and takes 50.',
  );
