import { StoreError } from '../port.ts';
import { openConnection } from './connection.ts';
import type { Connection, ConnectionOptions } from './connection.ts';
import type { IndexedRedis } from './index-scripts.ts';

/** How long replicas may take to confirm a change. */
const CONFIRM_MS = 500;

export interface Writer {
  /** Runs one script that writes. When it resolves, the change has been confirmed by as many replicas as it takes. */
  write<Reply>(script: (redis: IndexedRedis) => Promise<Reply>): Promise<Reply>;
  close(): Promise<void>;
}

/**
 * Redis answers before its replicas have heard of a write, and a failover in that moment loses it: who was told that a key
 * is revoked would be wrong. WAIT asks for the replicas' word. It holds up its whole connection, so it has one of its own,
 * or lookups would wait for it too.
 */
export function openWriter(shared: Connection, options: ConnectionOptions, minReplicas: number): Writer {
  if (minReplicas === 0) return { write: (script) => shared.run(script), close: async () => undefined };

  let connections = 0;
  const connection = openConnection({
    ...options,
    name: `${options.name}-write`,
    commandTimeoutMs: options.commandTimeoutMs + CONFIRM_MS,
    socketTimeoutMs: options.socketTimeoutMs + CONFIRM_MS,
    met: () => void connections++,
  });
  connection.ready.catch(() => undefined); // the commands that follow say it

  return {
    write: (script) =>
      connection.run(async (redis) => {
        const reply = await script(redis);
        const before = connections;
        const confirmed = await redis.wait(minReplicas, CONFIRM_MS);
        // On a new connection WAIT knows nothing of the change, and is content at once.
        if (confirmed < minReplicas || connections !== before) throw unconfirmed(confirmed, minReplicas);
        return reply;
      }),
    close: () => connection.close(),
  };
}

function unconfirmed(confirmed: number, minReplicas: number): StoreError {
  return new StoreError(
    'unavailable',
    `The key store (Redis) has made the change, but only ${confirmed} of ${minReplicas} replicas (store.redis.minReplicas) ` +
      'confirmed it in time: a failover now could lose it. Look whether it is there once the replicas are back, and make ' +
      'it again if it is not.',
  );
}
