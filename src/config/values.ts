import { z } from 'zod';
import { parseOrigin } from '../keys/scope.ts';

/**
 * The kinds of values that options have, besides numbers and the quantities of units.ts. Faults begin with "must". The
 * metadata is read by describe.ts: `form` is how documentation names the kind, the others say how the value is treated.
 */

/** Where a server listens. */
export const address = z
  .string()
  .regex(
    /^(?:\[[0-9A-Fa-f:.]+\]|[^:\s/[\]]+):(?:0|[1-9][0-9]{0,4})$/,
    'must be host:port, such as 127.0.0.1:4317 or [::]:4317',
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port from 0 to 65535')
  .meta({ form: '`host:port`', listens: true });

/** Where another program listens. */
export const serverAddress = z
  .string()
  .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[^:\s/@[\]]+):[1-9][0-9]{0,4}$/, 'must be host:port, such as redis-0:6379')
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port from 1 to 65535')
  .meta({ form: '`host:port`' });

/** A file that may be created later. */
export const filePath = z.string().min(1, 'must be the path of a file').meta({ form: 'the path of a file' });

/** A file that is read when Keygate starts. */
export const inputFile = filePath.meta({ mustExist: true });

export const headerName = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, 'must be a header name in lower case: 1 to 64 letters, digits and hyphens')
  .meta({ form: 'a header name in lower case' });

/** A header that senders choose the name of: some have underscores in it. */
export const carrierName = z
  .string()
  .regex(/^[a-z0-9_-]{1,64}$/, 'must be a header name in lower case: 1 to 64 letters, digits, hyphens and underscores')
  .meta({ form: 'a header name in lower case' });

const MEANS_SOMETHING_ELSE = /^(?:authorization|host|user-agent|content-.*|grpc-.*|x-keygate-.*|.*-bin)$/;
const OF_CONNECTION = /^(?:connection|expect|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|http2-settings)$/;

/** A header that Keygate may set to what it likes. */
export const freeHeaderName = headerName.refine(
  (name) => !MEANS_SOMETHING_ELSE.test(name) && !OF_CONNECTION.test(name),
  'must be a header that means nothing else to HTTP, to gRPC or to Keygate',
);

/** A web origin as browsers write it, or * for all of them. */
export const webOrigin = z
  .string()
  .transform((text, context) => {
    const result = parseOrigin(text);
    if ('value' in result) return result.value;
    context.addIssue({ code: 'custom', message: result.problem });
    return z.NEVER;
  })
  .meta({ form: '`scheme://host[:port]`, or `*`' });

/** A collector: a scheme, a host and a port. Paths are the protocol's own. */
export const target = z
  .string()
  .refine(
    (text) => /^https?:\/\/[^\s/?#@]+\/?$/.test(text) && URL.canParse(text),
    'must be http://host:port or https://host:port, without user, path or query',
  )
  .meta({ form: '`http://host:port` or `https://host:port`' });

/**
 * A path that a request must name to the letter. Dots between slashes, doubled slashes and escapes are left out, because
 * servers disagree on what they are the same as.
 */
export const routePath = z
  .string()
  .regex(
    /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/,
    'must be a path such as /json/rum: slashes, each followed by letters, digits, ".", "_", "~" or "-"',
  )
  .meta({ form: 'a path such as `/json/rum`' });

/** A method as gRPC names it on the wire, which a call must name to the letter. */
export const grpcPath = z
  .string()
  .regex(
    /^\/[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\/[A-Za-z_]\w*$/,
    'must be a gRPC method such as /package.Service/Method',
  )
  .meta({ form: 'a gRPC method such as `/package.Service/Method`' });

/** A short name that goes into digests and store keys as it is. */
export const label = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "_" or "-"')
  .meta({ form: '1 to 64 letters, digits, `.`, `_` or `-`' });

/** Printed nowhere, and also taken from a file that <NAME>_FILE names: see environment.ts. */
export const secret = z.string().min(1, 'must not be empty').meta({ secret: true });
