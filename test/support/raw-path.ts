import type { TestContext } from 'node:test';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';
import { converse } from './raw-http.ts';
import type { Conversation } from './raw-http.ts';
import { startRawUpstream } from './raw-upstream.ts';
import type { RawUpstream } from './raw-upstream.ts';

/** The whole way of an HTTP/1.1 request with nothing between the test and the bytes at either end. */
export interface RawPath {
  readonly gateway: Gateway;
  readonly upstream: RawUpstream;
  readonly key: string;
  readonly keyId: string;
  /** Sends these bytes to the gateway and reads until it closes the connection. */
  send(bytes: string): Promise<Conversation>;
}

export async function startRawPath(t: TestContext, config: Parameters<typeof startGateway>[1] = {}): Promise<RawPath> {
  const upstream = await startRawUpstream(t);
  const gateway = await startGateway(t, { upstream: { http: upstream.url }, ...config });
  const { text: key, id: keyId } = await gateway.createKey();
  return { gateway, upstream, key, keyId, send: (bytes) => converse(t, gateway.addresses.http.port, bytes) };
}
