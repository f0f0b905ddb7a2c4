import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * - open: bytes pass
 * - cut: connections are broken, new ones too, as when the other side is gone
 * - frozen: connections stay, and nothing passes until it is open again
 * - an error: Redis is there, and says only this to each command
 * - no-feed: connections that call themselves by the name of the change feed are broken, the others pass
 * - held-feed: on those nothing passes until it is open again
 * - a delay: on those, what the server says comes so much later
 */
export type Link =
  | 'open'
  | 'cut'
  | 'frozen'
  | 'no-feed'
  | 'held-feed'
  | { readonly error: string }
  | { readonly feedDelayMs: number };

/** A stretch of network between a store's client and its server, that can be broken while both of them live. */
export interface TcpProxy {
  readonly port: number;
  set(link: Link): void;
  /** From now on new connections lead to another server; those that are there stay. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

const FEED_NAME = 'keygate-feed';

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  interface Pair {
    readonly client: net.Socket;
    readonly server: net.Socket;
    isFeed: boolean;
    /** What the server has said to a feed, and the client is still to hear: one thing after the other. */
    told: Promise<void>;
  }
  const pairs = new Set<Pair>();
  let link: Link = 'open';
  let target = targetPort;

  const proxy = net.createServer((client) => {
    const server = net.connect({ host: '127.0.0.1', port: target });
    const pair: Pair = { client, server, isFeed: false, told: Promise.resolve() };
    pairs.add(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('close', () => {
        pairs.delete(pair);
        to.destroy();
      });
      from.on('data', (bytes: Buffer) => {
        if (from === client && !pair.isFeed && bytes.includes(FEED_NAME)) {
          pair.isFeed = true;
          settle(pair);
        }
        if (isBroken(pair)) return;
        if (typeof link === 'object' && 'error' in link) {
          if (from === client) client.write(`-${link.error}\r\n`.repeat(countCommands(bytes)));
        } else if (from === server && pair.isFeed) tellFeed(pair, bytes);
        else to.write(bytes);
      });
    }
    settle(pair);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');

  const isBroken = ({ isFeed }: Pair): boolean => link === 'cut' || (link === 'no-feed' && isFeed);

  function breakUp({ client, server }: Pair): void {
    client.resetAndDestroy();
    server.destroy();
  }

  function tellFeed(pair: Pair, bytes: Buffer): void {
    const delayMs = typeof link === 'object' && 'feedDelayMs' in link ? link.feedDelayMs : 0;
    const dueAt = performance.now() + delayMs;
    pair.told = pair.told.then(async () => {
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await delay(waitMs);
      pair.client.write(bytes);
    });
  }

  function settle(pair: Pair): void {
    const both = [pair.client, pair.server];
    if (isBroken(pair)) return breakUp(pair);
    for (const socket of both) {
      if (link === 'frozen' || (link === 'held-feed' && pair.isFeed)) socket.pause();
      else socket.resume();
    }
  }

  return {
    port: (proxy.address() as AddressInfo).port,
    set(next) {
      link = next;
      pairs.forEach(settle);
    },
    leadTo: (port) => void (target = port),
    async close() {
      proxy.close();
      pairs.forEach(breakUp);
      await once(proxy, 'close');
    },
  };
}

/** Of Redis' protocol: each command is a list. */
function countCommands(bytes: Buffer): number {
  return bytes.toString('latin1').match(/\*\d+\r\n/g)?.length ?? 0;
}
