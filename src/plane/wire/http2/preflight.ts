import type { Cors } from '../../cors.ts';
import { PREFLIGHT_STATUS } from '../../cors.ts';
import { valueOf } from '../request-head.ts';
import type { RequestHead } from '../request-head.ts';
import { encodeFields } from './hpack/encoder.ts';

/** The whole answer to a browser that asks whether a page may send; undefined for any other request. */
export function answerToPreflight(head: RequestHead, cors: Cors | undefined): Buffer | undefined {
  const { method, objection, route, fields, use } = head;
  if (cors === undefined || objection !== 'method_not_allowed' || route?.forPages !== true) return undefined;
  const { origin } = use;
  if (!cors.isPreflight({ method, origin, askedMethod: valueOf(fields, 'access-control-request-method') })) {
    return undefined;
  }
  return encodeFields([':status', String(PREFLIGHT_STATUS), ...cors.permission(route.methods, origin).flat()]);
}
