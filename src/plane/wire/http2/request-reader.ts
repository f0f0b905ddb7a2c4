import type { RequestHead, RequestStart } from '../request-head.ts';
import type { ConnectionContext } from '../server-connection.ts';
import { BlockMemo, type Remembered } from './head-memo.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { divide, isAsciiMetadata, isRegularField, readRequestFields, readStart } from './request-fields.ts';

/** A request as its header block says it. */
export interface ReadRequest {
  readonly head: RequestHead;
  readonly start: RequestStart;
}

export type BlockFault = 'malformed' | 'compression_error';

/** Reads the header blocks of one connection. */
export class RequestReader {
  readonly #context: ConnectionContext;
  readonly #peer: string;
  readonly #decoder: HpackDecoder;
  /** Only once blocks carry no state. */
  #memo: BlockMemo<RequestHead> | undefined;

  constructor(context: ConnectionContext, peer: string) {
    this.#context = context;
    this.#peer = peer;
    this.#decoder = new HpackDecoder(context.limits);
  }

  /** The peer has acknowledged our settings. */
  settingsHold(): void {
    this.#decoder.dropTable();
    this.#memo ??= new BlockMemo(this.#context.varyingInBlocks, this.#context.limits);
  }

  read(block: Buffer, endsWithHead: boolean): ReadRequest | BlockFault {
    const known = this.#memo?.lookup(block);
    if (known !== undefined) return readAgain(known, endsWithHead);
    const decoded = this.#decoder.decode(block);
    if (decoded === 'compression_error') return decoded;
    if (decoded === 'too_large') return this.#refuseTooLarge();
    const read = readRequestFields(decoded);
    if (read === undefined) return 'malformed';
    const { method, target, isGrpc } = read;
    const { steady, varying } = divide(read.fields, this.#context.isVarying);
    const start = readStart(varying, read, endsWithHead);
    if (start === undefined) return 'malformed';
    const head = this.#context.readHead({
      protocol: isGrpc ? 'grpc' : 'http',
      method,
      target,
      fields: steady,
      peer: this.#peer,
      objection: isGrpc && !isAsciiMetadata(steady) ? 'bad_request' : undefined,
      neverIndexed: this.#decoder.sawNeverIndexed,
    });
    this.#memo?.remember(block, decoded, head);
    return { head, start };
  }

  /** Trailers are read for the sake of what follows them, and go nowhere. */
  readTrailers(block: Buffer): 'fine' | BlockFault {
    const decoded = this.#decoder.decode(block);
    if (decoded === 'compression_error') return decoded;
    if (decoded === 'too_large') return 'malformed';
    for (let i = 0; i + 1 < decoded.length; i += 2) {
      if (!isRegularField(decoded[i] as string, decoded[i + 1] as string)) return 'malformed';
    }
    return 'fine';
  }

  /** Refused in the words of its protocol, which a head says early; its fields are kept no longer than that. */
  #refuseTooLarge(): ReadRequest | 'malformed' {
    const read = readRequestFields(this.#decoder.takeBeginning());
    if (read === undefined) return 'malformed';
    const { method, target, isGrpc, fields } = read;
    const type = fields.indexOf('content-type');
    const head = this.#context.readHead({
      protocol: isGrpc ? 'grpc' : 'http',
      method,
      target,
      fields: type === -1 ? [] : fields.slice(type, type + 2),
      peer: this.#peer,
      objection: 'header_limits',
    });
    return { head, start: { varying: [], bodyLength: undefined, timeoutMs: undefined, objection: undefined } };
  }
}

/** What was remembered of a head is parsing; what it says of its body and its time is read each time. */
function readAgain(
  { value: head, varying }: Remembered<RequestHead>,
  endsWithHead: boolean,
): ReadRequest | 'malformed' {
  const start = readStart(varying, { method: head.method, isGrpc: head.protocol === 'grpc' }, endsWithHead);
  return start === undefined ? 'malformed' : { head, start };
}
