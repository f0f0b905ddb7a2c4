import type { Readable } from 'node:stream';
import { MAX_DISCARD_MS, MAX_DISCARDED_BYTES } from '../discarding.ts';

/** Reads the rest of a request and throws it away; it is cut if that is too much or takes too long. */
export function discardBody(body: Readable, cut: () => void): void {
  if (body.readableEnded || body.destroyed) return;
  let discarded = 0;
  const timer = setTimeout(cut, MAX_DISCARD_MS).unref();
  const stop = (): void => clearTimeout(timer);
  body.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED_BYTES) cut();
  });
  body.on('end', stop);
  body.on('close', stop);
  body.on('error', stop);
  body.unpipe(); // or the end of a given-up forwarding would pause the body again
  body.resume();
}
