import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';

/**
 * - open: bytes pass
 * - cut: connections are broken, new ones too, as when the other side is gone
 * - frozen: connections stay, and nothing passes until it is open again
 * - an error: Redis is there, and says only this to each command
 * - no-feed: connections that call themselves by the name of the change feed are broken, the others pass
 */
export type Link = 'open' | 'cut' | 'frozen' | 'no-feed' | { readonly error: string };

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
  }
  const pairs = new Set<Pair>();
  let link: Link = 'open';
  let target = targetPort;

  const proxy = net.createServer((client) => {
    const server = net.connect({ host: '127.0.0.1', port: target });
    const pair: Pair = { client, server, isFeed: false };
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
        if (from === client) pair.isFeed ||= bytes.includes(FEED_NAME);
        if (isBroken(pair)) breakUp(pair);
        else if (typeof link === 'string') to.write(bytes);
        else if (from === client) client.write(`-${link.error}\r\n`.repeat(countCommands(bytes)));
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

  function settle(pair: Pair): void {
    const both = [pair.client, pair.server];
    if (isBroken(pair)) return breakUp(pair);
    for (const socket of both) {
      if (link === 'frozen') socket.pause();
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
