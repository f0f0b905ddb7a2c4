import type { RawFields } from '../../credential/read.ts';
import type { KeyRecord } from '../../keys/record.ts';
import type { UpstreamReason } from '../../upstream/faults.ts';
import type { Protocol } from '../plane.ts';

/** What lies between a request and the collector: the same for HTTP/1.1 and HTTP/2, on either side. */

/** One target with all its connections. */
export interface Upstream {
  /**
   * Sends a request on, as soon as there is a place for it; at once says why not, if there will be none. The caller hears
   * of everything else later, never before this returns.
   */
  open(request: OnwardRequest, caller: Caller): UpstreamCall | UpstreamReason;
  /** Takes no new requests; connections end with their last one. */
  close(): void;
}

/** The same with what its connections want: they are looked after from outside. */
export interface UpstreamPool extends Upstream {
  /** Those that are open, or about to be. */
  readonly connectionCount: number;
  /** Nothing is under way here, nor waits. */
  readonly isIdle: boolean;
  /** To be called a few times a second. */
  check(nowMs: number): void;
}

export interface OnwardRequest {
  readonly head: OnwardHead;
  readonly key: KeyRecord;
  /** Fields of this request alone, already checked, in lower case; never content-length. */
  readonly varying: RawFields;
  /** As announced; 0 for a request without a body, absent if only its end will tell. */
  readonly bodyLength: number | undefined;
}

/** What goes on of the head of a request; remembered, with the fields that all requests of that head have. */
export interface OnwardHead {
  readonly protocol: Protocol;
  readonly method: string;
  /** With a query only where a route takes one, and never with a key. */
  readonly path: string;
  readonly fields: RawFields;
  /** It came with a field that nobody may index (RFC 7541 section 6.2.3), and so goes on. */
  readonly neverIndexed?: boolean;
  /** The head as the upstream wanted it that it went to last, with the key that it was judged with then. */
  onward: { readonly key: KeyRecord; readonly encode: HeadEncoder; readonly bytes: Buffer } | undefined;
}

/** How one upstream wants its heads: with its own name in them. */
export type HeadEncoder = (head: OnwardHead, fields: [name: string, value: string][]) => Buffer;

/** A request that is with the collector, or waits for it. */
export interface UpstreamCall {
  /**
   * Bytes of the body, `ends` with the last of them (which may be none). The piece may be one that is valid only during this
   * call. All are taken: the caller sends no more than it was told of by `taken`, and its window.
   */
  write(piece: Buffer, ends: boolean): void;
  /** So many bytes of the answer have gone on to the sender: as many more may come. */
  release(bytes: number): void;
  /** The sender left, or was refused. Nothing is told any more. `isOverdue`: the collector has used up the gateway's patience. */
  cancel(isOverdue?: boolean): void;
}

/** Who is told what becomes of a call. Nothing is told after the end of the answer, or after `failed`. */
export interface Caller {
  /** So many bytes of the body have left for the collector: the sender may send as many more. */
  taken(bytes: number): void;
  /** The head of the answer; `ends` if that is all of it. Interim answers (1xx) are not told. */
  answered(head: AnswerHead, varying: RawFields, ends: boolean): void;
  /** The piece is valid only during this call. */
  answerBytes(piece: Buffer, ends: boolean): void;
  /** The end of the answer, as fields behind its body. */
  answerTrailers(trailers: AnswerHead, varying: RawFields): void;
  failed(reason: UpstreamReason): void;
}

/** The head of an answer, or its trailers: what was read from equal bytes, shared by all answers that begin so. */
export interface AnswerHead {
  /** 0 in trailers. */
  readonly status: number;
  /** Whether it says that gRPC is spoken here. */
  readonly isGrpc: boolean;
  readonly grpcStatus: number | undefined;
  /** What may go on, in lower case, without the fields that differ from answer to answer; those come beside it. */
  readonly fields: RawFields;
  /** It came with a field that nobody may index (RFC 7541 section 6.2.3), and so goes on. */
  readonly neverIndexed?: boolean;
  /** The same as a header block, made when it is first needed. */
  asBlock: Buffer | undefined;
}
