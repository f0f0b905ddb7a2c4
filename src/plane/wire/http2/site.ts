import type { Endpoint } from '../../../upstream/endpoint.ts';
import type { ClientConnection } from './client-connection.ts';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/** One address of the collector with its connections. */
export class Site {
  readonly endpoint: Endpoint;
  /** Those that begin streams, or will. */
  readonly connections: ClientConnection[] = [];
  /** Connections in a row that never came to an answer. */
  #failures = 0;
  #retryAtMs = 0;
  #lastFault = '';

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  /** The least loaded connection that takes another stream. */
  withRoom(): ClientConnection | undefined {
    let best: ClientConnection | undefined;
    for (const connection of this.connections) {
      if (connection.hasRoom && connection.load < (best?.load ?? Infinity)) best = connection;
    }
    return best;
  }

  /** Whether one more connection may be tried: one at a time, and not at once where the last one failed. */
  mayConnect(nowMs: number): boolean {
    return nowMs >= this.#retryAtMs && !this.connections.some(({ state }) => state === 'connecting');
  }

  /**
   * 100 ms, then twice as long each time up to 5 s, and never exactly: gateways that lost a collector together come back
   * apart. Where there was a connection, the next one is tried at once.
   */
  failed(nowMs: number, random: () => number, wasReady: boolean): void {
    const isFirst = wasReady && this.#failures === 0;
    const ms = isFirst ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures, MAX_BACKOFF_MS);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#retryAtMs = nowMs + ms * (0.8 + 0.4 * random());
  }

  succeeded(): void {
    if (this.#lastFault === '' && this.#failures === 0) return;
    this.#failures = 0;
    this.#retryAtMs = 0;
    this.#lastFault = '';
  }

  /** Whether this is another fault than the last one: in an outage each attempt has the same. */
  isNews(fault: string): boolean {
    const isNew = this.#lastFault !== fault;
    this.#lastFault = fault;
    return isNew;
  }

  remove(connection: ClientConnection): void {
    const at = this.connections.indexOf(connection);
    if (at !== -1) this.connections.splice(at, 1);
  }
}
