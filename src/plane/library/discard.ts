import type { Readable } from 'node:stream';

/**
 * After a refusal the rest of the body is read and thrown away, so that the sender gets to read the answer and its
 * connection stays usable; but only this much of it and for so long: then the request is cut.
 */
const MAX_DISCARDED_BYTES = 1 << 20;
const MAX_DISCARD_MS = 5_000;

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
