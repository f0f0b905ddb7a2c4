import { join } from 'node:path';
import { startRedis } from './redis.ts';
import type { TestRedis } from './redis.ts';

/** A kind of store that gateways and the command line can share. */
export interface SharedStoreKind {
  readonly name: string;
  begin(): Promise<void>;
  end(): Promise<void>;
  /** The store in the configuration, and in the environment. */
  store(directory: string): { readonly config: object; readonly env: Record<string, string> };
}

export function sharedStoreKinds(): SharedStoreKind[] {
  let redis: TestRedis;
  let stores = 0;
  return [
    {
      name: 'SQLite',
      begin: async () => {},
      end: async () => {},
      store: (directory) => {
        const path = join(directory, 'shared.db');
        return { config: { sqlite: { path } }, env: { KEYGATE_STORE_SQLITE_PATH: path } };
      },
    },
    {
      name: 'Redis',
      begin: async () => void (redis = await startRedis()),
      end: () => redis.stop(),
      store: () => {
        const prefix = `shared-${++stores}`;
        // A busy machine may hold up a gateway, and a command that is a process of its own.
        return {
          config: { redis: { url: redis.url, prefix, commandTimeout: '2s', socketTimeout: '2s' } },
          env: {
            KEYGATE_STORE_SQLITE_PATH: '',
            KEYGATE_STORE_REDIS_URL: redis.url,
            KEYGATE_STORE_REDIS_PREFIX: prefix,
            KEYGATE_STORE_REDIS_COMMAND_TIMEOUT: '2s',
            KEYGATE_STORE_REDIS_SOCKET_TIMEOUT: '2s',
          },
        };
      },
    },
  ];
}
