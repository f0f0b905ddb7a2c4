import type { AppAddresses } from '../app.ts';
import type { Config } from '../config/schema.ts';
import type { KeyService } from '../keys/service.ts';
import { formatAddress } from '../listening.ts';
import { VERSION } from '../version.ts';
import { startDevCollector } from './collector.ts';
import type { DevCollector, Received } from './collector.ts';

export interface DevMode {
  /** The configuration, with the built-in collector in place of the upstream that is not set. */
  readonly config: Config;
  /** Makes a key to try, and says how. */
  welcome(keys: KeyService, addresses: AppAddresses): Promise<void>;
  close(): Promise<void>;
}

const DEV_KEY_NAME = 'dev';
const ACTOR = { name: 'keygate serve --dev' };

export async function prepareDev(config: Config, write: (text: string) => void): Promise<DevMode> {
  const { grpc, http } = config.upstream;
  const collector =
    grpc === null && http === null ? await startDevCollector((what) => write(receivedLine(what))) : undefined;
  return {
    config: collector
      ? { ...config, upstream: { ...config.upstream, grpc: collector.grpcUrl, http: collector.httpUrl } }
      : config,
    async welcome(keys, addresses) {
      const key = await freshKey(keys);
      write(welcomeText({ key, addresses, config, collector }));
    },
    close: async () => collector?.close(),
  };
}

/** A key's text cannot be read back, so each start makes a new one in place of the last. */
async function freshKey(keys: KeyService): Promise<string> {
  for (const { id, name } of await keys.list('ingestion')) {
    if (name === DEV_KEY_NAME) await keys.revoke('ingestion', id, ACTOR);
  }
  const description = 'Made by keygate serve --dev, which replaces it at each start.';
  const { text } = await keys.create({ kind: 'ingestion', name: DEV_KEY_NAME, description }, ACTOR);
  return text;
}

function receivedLine({ signal, protocol, items, bytes, keyName }: Received): string {
  const count = items === undefined ? 'a batch of' : `${items}`;
  return `  [built-in collector] took ${count} ${signal} (${bytes} bytes over ${protocol}) sent with key "${keyName ?? ''}"\n`;
}

interface WelcomeFacts {
  readonly key: string;
  readonly addresses: AppAddresses;
  readonly config: Config;
  readonly collector: DevCollector | undefined;
}

function welcomeText({ key, addresses, config, collector }: WelcomeFacts): string {
  const scheme = (tls: unknown): string => (tls ? 'https' : 'http');
  const http = `${scheme(config.listen.http.tls)}://${formatAddress(addresses.http)}`;
  const curl = (header: string, type: string, body: string): string =>
    `    curl -i ${http}/v1/traces ${header}-H 'Content-Type: ${type}' --data-binary '${body}'`;
  // Any change of a single character is caught by the checksum, without a lookup.
  const mistyped = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
  const span =
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"hello keygate","kind":1,"startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}';
  return `
  Keygate ${VERSION}, DEVELOPMENT MODE: plaintext, this machine only, not for production.

    OTLP/gRPC   ${formatAddress(addresses.grpc)}
    OTLP/HTTP   ${http}
    admin API   http://${formatAddress(addresses.admin)}/api   (needs a service token)
    metrics     http://${formatAddress(addresses.ops)}/metrics
    keys        ${config.store.redis === null ? config.store.sqlite.path : 'redis'}
    collector   ${collector ? 'BUILT-IN: it counts what it gets and throws it away (set upstream.grpc and upstream.http)' : [config.upstream.grpc, config.upstream.http].filter(Boolean).join(', ')}

  A fresh ingestion key, valid until the next start:

    ${key}

  Accepted (200):

${curl(`-H 'Authorization: ApiKey ${key}' `, 'application/json', span)}

  Refused (403, with the reason in the encoding of the request): no key; a mistyped one

${curl('', 'application/json', '{}')}
${curl(`-H 'X-API-Key: ${mistyped}' `, 'application/json', '{}')}

  Make keys that stay, in another terminal:

    bin/keygate ingestion-api-key create --name my-ingestion-api-key

`;
}
