import type { AppAddresses } from '../app.ts';
import type { Config } from '../config/schema.ts';
import type { KeyService } from '../keys/service.ts';
import { formatAddress } from '../listening.ts';
import { VERSION } from '../version.ts';
import { startDevCollector } from './collector.ts';
import type { DevCollector, Received } from './collector.ts';

export interface DevMode {
  /** A configuration with the built-in collector in place of the upstream that is not set, and without a pause at the end. */
  complete(config: Config): Config;
  /** Makes a key to try, and says how. */
  welcome(keys: KeyService, addresses: AppAddresses): Promise<void>;
  close(): Promise<void>;
}

const DEV_KEY_NAME = 'dev';
const EXPIRED_KEY_NAME = 'dev-expired';
const ACTOR = { name: 'keygate serve --dev' };

export async function prepareDev(config: Config, write: (text: string) => void): Promise<DevMode> {
  const { grpc, http } = config.upstream;
  const collector =
    grpc === null && http === null ? await startDevCollector((what) => write(receivedLine(what))) : undefined;
  return {
    complete(next) {
      const isAway = next.upstream.grpc === null && next.upstream.http === null;
      return {
        ...next,
        ...(collector &&
          isAway && { upstream: { ...next.upstream, grpc: collector.grpcUrl, http: collector.httpUrl } }),
        // No load balancer is in front of it, and whoever presses Ctrl-C waits.
        limits: { ...next.limits, drainDelay: 0 },
      };
    },
    async welcome(keys, addresses) {
      const key = await freshKey(keys, DEV_KEY_NAME);
      // Long dead before anybody has copied it.
      const expired = await freshKey(keys, EXPIRED_KEY_NAME, Date.now() + 1_000);
      write(welcomeText({ key, expired, addresses, config, collector }));
    },
    close: async () => collector?.close(),
  };
}

/** A key's text cannot be read back, so each start makes a new one in place of the last. */
async function freshKey(keys: KeyService, name: string, expiresAt?: number): Promise<string> {
  for (const earlier of await keys.list('ingestion')) {
    if (earlier.name === name) await keys.revoke('ingestion', earlier.id, ACTOR, { force: true });
  }
  const description = 'Made by keygate serve --dev, which replaces it at each start.';
  const { text } = await keys.create({ kind: 'ingestion', name, description, expiresAt }, ACTOR);
  return text;
}

function receivedLine({ signal, protocol, items, bytes, keyName }: Received): string {
  const count = items === undefined ? 'a batch of' : `${items}`;
  return `  [built-in collector] took ${count} ${signal} (${bytes} bytes over ${protocol}) sent with key "${keyName ?? ''}"\n`;
}

interface WelcomeFacts {
  readonly key: string;
  readonly expired: string;
  readonly addresses: AppAddresses;
  readonly config: Config;
  readonly collector: DevCollector | undefined;
}

const SPAN =
  '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"hello keygate","kind":1,"startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}';

function welcomeText({ key, expired, addresses, config, collector }: WelcomeFacts): string {
  const url = `http${config.listen.http.tls ? 's' : ''}://${formatAddress(addresses.http)}`;
  const curl = (field: string, encoding: 'json' | 'x-protobuf', body: string): string =>
    `curl -i --output - ${url}/v1/traces${field && ` -H '${field}'`} -H 'Content-Type: application/${encoding}' -d '${body}'`;
  // Any change of a single character is caught by the checksum, without a lookup.
  const mistyped = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
  const { grpc, http } = config.upstream;
  return `
  Keygate ${VERSION}, DEVELOPMENT MODE: plaintext, this machine only, not for production.

    OTLP/gRPC   ${formatAddress(addresses.grpc)}
    OTLP/HTTP   ${url}
    admin API   http://${formatAddress(addresses.admin)}/api   (needs a service token)
    console     http://${formatAddress(addresses.admin)}/      (sign in with one: bin/keygate service-token create --name me --roles admin)
    metrics     http://${formatAddress(addresses.ops)}/metrics
    keys        ${config.store.redis === null ? config.store.sqlite.path : 'in Redis'}
    collector   ${collector ? 'BUILT-IN: it counts what it gets and throws it away (set upstream.grpc and upstream.http)' : [grpc, http].filter(Boolean).join(', ')}

  A fresh ingestion key, good until the next start:

    ${key}

  Accepted (200):

    ${curl(`Authorization: ApiKey ${key}`, 'json', SPAN)}

  Refused (403, the reason in the encoding of the request): no key, a wrong one, a mistyped one, an expired one; the last as JSON

    ${curl('', 'x-protobuf', '')}
    ${curl('X-API-Key: not-a-key-of-ours', 'x-protobuf', '')}
    ${curl(`X-API-Key: ${mistyped}`, 'x-protobuf', '')}
    ${curl(`X-API-Key: ${expired}`, 'x-protobuf', '')}
    ${curl(`X-API-Key: ${expired}`, 'json', '{}')}

  Make keys that stay, in another terminal:

    bin/keygate ingestion-api-key create --name my-ingestion-api-key

`;
}
