import type { AddressInfo, Server } from 'node:net';
import type { ListenerOptions } from './plane.ts';

/** Rejects if the address cannot be had. After that a connection that cannot be taken, for want of descriptors, ends nothing else. */
export function listenAt(server: Server, { host, port }: Pick<ListenerOptions, 'host' | 'port'>): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      server.on('error', () => {});
      resolve(server.address() as AddressInfo);
    });
  });
}
