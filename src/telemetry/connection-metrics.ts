import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Port, Protocol, TurnedAway } from '../plane/plane.ts';

const PORTS: readonly Protocol[] = ['grpc', 'http'];
const CAUSES: readonly TurnedAway[] = ['limit', 'handshake', 'certificate'];

/** The connections of senders, and what their bodies make the gateway hold: asked for at each scrape. */
export function createConnectionMetrics(registers: Registry[], heldBytes: () => number) {
  const connections = new Gauge({
    name: 'keygate_connections',
    help: 'Open connections of each data port, and of those where proxies ask.',
    labelNames: ['port'],
    registers,
  });
  const turnedAway = new Counter({
    name: 'keygate_connections_turned_away_total',
    help: 'Connections that were not served: limits.maxConnections were open, TLS failed, or the client certificate is not ours.',
    labelNames: ['port', 'cause'],
    registers,
  });
  // No certificate may be wrong until the day one is: the series are there before, so that a rate sees the first.
  for (const port of PORTS) for (const cause of CAUSES) turnedAway.inc({ port, cause }, 0);
  new Gauge({
    name: 'keygate_held_bytes',
    help: 'Of request bodies, what waits in memory for the collector.',
    registers,
    collect() {
      this.set(heldBytes());
    },
  });

  return {
    connections: (port: Port, open: number): void => connections.set({ port }, open),
    turnedAway: (port: Port, cause: TurnedAway): void => turnedAway.inc({ port, cause }),
  };
}
