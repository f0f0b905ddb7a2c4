import { connect as connectTcp, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { FindServer } from './find-server.ts';
import { formatEndpoint, socketOptions } from './server.ts';
import type { Endpoint, RedisTls } from './server.ts';

/** What a server says of itself when a connection to it is made; undefined where it may not say. */
export interface ServerFacts {
  /** What it removes when its memory is full: `noeviction` is nothing. */
  readonly evictionPolicy: string | undefined;
  /** The name of its history of writes: another one after a failover, when the last writes may be others too. */
  readonly history: string | undefined;
}

export interface ConnectorOptions {
  readonly find: FindServer;
  readonly tls: RedisTls | undefined;
  /** Where the server was found by asking, it has to be a primary: the answer may be old. */
  readonly mustBePrimary: boolean;
  readonly disconnectTimeoutMs: number;
  readonly met: (facts: ServerFacts) => void;
  readonly failed: (cause: Error) => void;
}

/** The class of which ioredis makes one for each client; it is asked for a socket before each attempt to connect. */
export function connectorClass(options: ConnectorOptions): NonNullable<RedisOptions['Connector']> {
  const { find, tls, mustBePrimary, met, failed } = options;

  return class FindingConnector extends AbstractConnector {
    #closing = new AbortController();
    #endpoint: Endpoint | undefined;

    constructor() {
      super(options.disconnectTimeoutMs);
    }

    override async connect() {
      this.connecting = true;
      this.#closing = new AbortController();
      delete this.firstError;
      try {
        this.#endpoint = await find(this.#closing.signal);
      } catch (cause) {
        this.firstError = cause instanceof Error ? cause : new Error(String(cause));
      }
      if (!this.connecting) throw new Error('Connection is closed.');
      this.stream = this.firstError === undefined ? openSocket(this.#endpoint, tls) : brokenSocket();
      this.stream.once('error', (error: Error) => (this.firstError = error));
      return this.stream;
    }

    /** Is given the server's INFO, or nothing of it where our user may not read that. */
    override check(info: Readonly<Record<string, string | undefined>>): boolean {
      const isPrimary = info['role'] === undefined || info['role'] === 'master';
      if (mustBePrimary && !isPrimary) {
        failed(new Error(`${this.#endpoint && formatEndpoint(this.#endpoint)} is not the primary any more`));
        return false;
      }
      met({ evictionPolicy: info['maxmemory_policy'], history: info['master_replid'] });
      return true;
    }

    override disconnect(): void {
      this.#closing.abort();
      super.disconnect();
    }
  };
}

function openSocket(endpoint: Endpoint | undefined, tls: RedisTls | undefined): Socket {
  if (endpoint === undefined) return brokenSocket();
  const { host, port, tls: tlsOptions } = socketOptions(endpoint, tls);
  return tlsOptions === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...tlsOptions });
}

/** For ioredis a rejected promise is the end; a socket that is broken already is a reason to try again later. */
function brokenSocket(): Socket {
  return new Socket().destroy();
}
