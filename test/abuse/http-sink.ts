/**
 * One HTTP/1.1 connection of the collector behind an attacked gateway: it finds the ends of requests, and answers each with
 * the empty success of OTLP. It trusts its peer, which is why it is no test of one.
 */

const EMPTY_LINE = Buffer.from('\r\n\r\n');
const CRLF = Buffer.from('\r\n');
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n');
const NOTHING = Buffer.alloc(0);

/** What comes next: a head, a body of known length, the size of a chunk, its data, or the lines behind the last one. */
type Next = 'head' | 'body' | 'size' | 'data' | 'trailers';

export function createHttpSink(write: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let next: Next = 'head';
  let rest = NOTHING;
  /** Of the body or chunk, what is thrown away as it comes. */
  let left = 0;

  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    const line = (end: Buffer): string | undefined => {
      const found = bytes.indexOf(end, at);
      if (found === -1) return undefined;
      const text = bytes.toString('latin1', at, found);
      at = found + end.length;
      return text;
    };
    const step = (): Next | undefined => {
      switch (next) {
        case 'head': {
          const head = line(EMPTY_LINE);
          if (head === undefined) return undefined;
          if (/\r\ntransfer-encoding:/i.test(head)) return 'size';
          left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
          return 'body';
        }
        case 'size': {
          const size = line(CRLF);
          if (size === undefined) return undefined;
          left = Number.parseInt(size, 16) + CRLF.length;
          return left > CRLF.length ? 'data' : 'trailers';
        }
        case 'trailers': {
          const trailer = line(CRLF);
          if (trailer === undefined) return undefined;
          if (trailer !== '') return 'trailers';
          write(ANSWER);
          return 'head';
        }
        default: {
          const skipped = Math.min(left, bytes.length - at);
          at += skipped;
          left -= skipped;
          if (left > 0) return undefined;
          if (next === 'data') return 'size';
          write(ANSWER);
          return 'head';
        }
      }
    };
    for (let found = step(); found !== undefined; found = step()) next = found;
    rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  };
}
