import type * as http from 'node:http';
import type { Server } from 'node:net';
import type { BoundAddress } from './plane/plane.ts';

/** Splits the configured host:port; the configuration has checked the form. */
export function parseAddress(address: string): BoundAddress {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) };
}

export function formatAddress({ host, port }: BoundAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export async function listen(server: Server, address: string): Promise<BoundAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parseAddress(address), () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error(`listening on ${address} gave no address`);
  return { host: bound.address, port: bound.port };
}

/** At once: whoever is still connected is cut off. One that never listened is closed already. */
export async function closeServer(server: http.Server): Promise<void> {
  server.closeAllConnections();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
}
