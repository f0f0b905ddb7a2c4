import { z } from 'zod';
import type { Actor } from '../keys/audit.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { ErrorStamp } from './answer.ts';
import { check } from './body.ts';
import type { Parsed } from './body.ts';
import type { Call } from './route.ts';

/** Who makes a change through the admin API, and from where. */
export function actorOf({ caller, request }: Call): Actor {
  if (caller === undefined) throw new TypeError('a route that changes something must not be public');
  return { name: nameOf(caller), via: 'admin-api', address: request.socket.remoteAddress };
}

/** A service token as logs and records speak of it: names can be given anew, ids not. */
export function nameOf({ name, id }: KeyRecord): string {
  return `${name} (${id})`;
}

const idSchema = z.object({ id: z.string().regex(/^[0-9]{1,19}$/, 'must be the number that the list shows') });

/** The id in the path. */
export function readId(stamp: ErrorStamp, { id }: Call): Parsed<string> {
  const parsed = check(stamp, idSchema, { id });
  return 'refused' in parsed ? parsed : { value: parsed.value.id };
}
