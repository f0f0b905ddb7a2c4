import type { ToUpstream } from '../../../headers.ts';
import { authority } from '../../../upstream/target.ts';
import type { UpstreamTarget } from '../../../upstream/target.ts';
import { onwardBytes } from '../request-head.ts';
import type { OnwardHead, OnwardRequest } from '../upstream-call.ts';
import { encodeFields, encodeForNow } from './hpack/encoder.ts';

/** The head of a request as header blocks, to be sent one behind the other, at once. */
export type HeadBlocks = (request: OnwardRequest) => readonly Buffer[];

/** What all requests with the same head have in common is encoded once. */
export function createHeadBlocks(target: UpstreamTarget, toUpstream: ToUpstream): HeadBlocks {
  const scheme = target.secure ? 'https' : 'http';
  const host = authority(target);

  function encode(head: OnwardHead, fields: [name: string, value: string][]): Buffer {
    const { method, path } = head;
    // Servers of gRPC want to hear that trailers are understood.
    const own = [':method', method, ':scheme', scheme, ':path', path, ':authority', host, 'te', 'trailers'];
    return encodeFields([...own, ...fields.flat()], head);
  }

  return (request) => {
    const block = onwardBytes(request.head, request.key, toUpstream, encode);
    const varying = varyingFields(request);
    return varying.length === 0 ? [block] : [block, encodeForNow(varying, request.head)];
  };
}

/** gRPC has no use for the length of a body, and its own clients do not say it. */
function varyingFields({ head, varying, bodyLength = 0 }: OnwardRequest): readonly string[] {
  if (head.protocol === 'grpc' || bodyLength === 0) return varying;
  return [...varying, 'content-length', String(bodyLength)];
}
