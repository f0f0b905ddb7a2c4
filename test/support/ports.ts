import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Where nothing listens (tcpmux): the system gives it to nobody, while a port that was free a moment ago may belong to another test by
 * now.
 */
export const NOBODYS_PORT = 1;

/** For a program that cannot choose one itself: none of those that the system gives to clients. */
export function randomPort(): number {
  return randomInt(10_000, 32_000);
}

/** One of these, on which nobody listens. */
export async function findPort(): Promise<number> {
  for (;;) {
    const port = randomPort();
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen({ port, host: '127.0.0.1' }, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
