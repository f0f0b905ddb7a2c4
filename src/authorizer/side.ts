import type { AddressInfo, Socket } from 'node:net';

/** One port at which proxies ask. */
export interface AuthzSide {
  listen(): Promise<AddressInfo>;
  /** Serves a connection that was taken elsewhere. This port need not be open. */
  accept(socket: Socket): void;
  /** Stops taking connections, says goodbye on the open ones, and resolves once all have ended. */
  drain(): Promise<void>;
  close(): Promise<void>;
  /** Takes as many connections as the limits say now. */
  renew(): void;
}
