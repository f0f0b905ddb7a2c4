import { StoreError } from '../port.ts';

/** The message of a command whose reply did not come in time. */
export const TIMED_OUT = 'Command timed out';

/**
 * The one door by which errors of ioredis come in. They are not kept as causes: an error of a failed login carries the
 * command with its password. `connectionError` is why there is no connection, which ioredis does not repeat.
 */
export function toStoreError(cause: unknown, connectionError?: Error): StoreError {
  if (cause instanceof StoreError) return cause;
  const message = messageOf(cause);
  if (message === TIMED_OUT) {
    return new StoreError('timeout', 'The key store (Redis) did not answer in time.');
  }
  // An answer that only another program's data can give: our names are in use by it.
  if (message.startsWith('WRONGTYPE')) {
    return new StoreError(
      'foreign',
      'The Redis database holds data of another program. Set store.redis.prefix to another name.',
    );
  }
  if (message.startsWith('MOVED ')) {
    return new StoreError(
      'unavailable',
      'The key store (Redis) is a node of a Cluster, and another one has our keys. Set store.redis.nodes in place of url.',
    );
  }
  if (isReply(cause)) return new StoreError('unavailable', `The key store (Redis) refuses to serve: ${message}`);
  return connectionLost(connectionError ?? cause);
}

/** All that a server replies begins with a word in capitals: READONLY, LOADING, OOM, CLUSTERDOWN, NOAUTH, ERR, … */
function isReply(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'ReplyError';
}

export function connectionLost(cause: unknown): StoreError {
  return new StoreError('unavailable', `The key store (Redis) cannot be reached: ${messageOf(cause)}`);
}

/** Node's error for a host with several addresses has a code and no message. */
function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}
