import type { AddressInfo, Socket } from 'node:net';
import type { ListenerOptions } from '../plane/plane.ts';

/** One port at which proxies ask. */
export interface AuthzSide {
  listen(): Promise<AddressInfo>;
  /** Serves a connection that was taken elsewhere. This port need not be open. */
  accept(socket: Socket): void;
  /** Stops taking connections, says goodbye on the open ones, and resolves once all have ended. */
  drain(): Promise<void>;
  close(): Promise<void>;
  /** What holds for whoever connects from now on: the certificate, and how many may. */
  renew(listener: ListenerOptions): void;
}
