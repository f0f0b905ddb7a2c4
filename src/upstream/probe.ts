import { connect } from 'node:net';
import type { Probe } from './endpoint.ts';

/** Opens a connection and hangs up: an address that takes connections again may be tried with a request. */
export function createProbe(timeoutMs: number): Probe {
  return ({ address, port }) =>
    new Promise((resolve) => {
      const socket = connect({ host: address, port, timeout: timeoutMs });
      const end = (passed: boolean): void => {
        socket.destroy();
        resolve(passed);
      };
      socket.on('connect', () => end(true));
      socket.on('timeout', () => end(false));
      socket.on('error', () => end(false));
    });
}
