import { until } from '../support/wait.ts';
import type { Stage } from './stage.ts';

const ACTOR = { name: 'cli:alice' };
const DAY_MS = 86_400_000;

/** Some keys, owners and tokens, and who uses them; and where each page is, with a text to wait for. */
export async function furnish({ keys, send }: Stage): Promise<readonly [name: string, place: string, shown: string][]> {
  const now = Date.now();
  const owner = await keys.createOwner(
    { kind: 'serviceId', name: 'checkout', description: 'The team that takes the money', roles: ['Sender'] },
    ACTOR,
  );
  await keys.createOwner({ kind: 'serviceId', name: 'search', roles: ['Sender'] }, { name: 'ci (250558013078953)' });
  const user = await keys.createOwner({ kind: 'user', name: 'dora', roles: ['Sender'] }, ACTOR);
  const make = async (name: string, settings: object = {}, by = 'ci (250558013078953)') =>
    keys.create({ kind: 'ingestion', name, ...settings }, { name: by });
  const shop = await make('checkout-eu', {
    description: 'Collectors of the shop in Frankfurt',
    type: 'thirdParty',
    owner: owner.id,
    tenant: 'shop',
    cidrs: undefined,
    limits: { requestsPerSecond: 500, bytesPerSecond: 8 << 20 },
    expiresAt: now + 5 * DAY_MS,
  });
  await make('checkout-us', {
    description: 'Collectors of the shop in Ohio',
    type: 'thirdParty',
    owner: owner.id,
    expiresAt: now + 90 * DAY_MS,
  });
  const agents = await make(
    'kubernetes-agents',
    { description: 'Node agents of all clusters', type: 'sensor' },
    'cli:alice',
  );
  await make('shop-web', { description: 'Pages of the shop', type: 'rum', signals: ['traces', 'logs'] });
  const batch = await make('nightly-batch', {}, 'cli:alice');
  const old = await make('legacy-importer', { description: 'Goes away with the old data centre' }, 'cli:alice');
  await keys.disable('ingestion', batch.record.id, ACTOR);
  await keys.create(
    { kind: 'service', name: 'terraform', roles: ['key-manager'], expiresAt: now + 30 * DAY_MS },
    ACTOR,
  );
  await keys.create({ kind: 'service', name: 'grafana', roles: ['viewer'] }, ACTOR);
  const senders = [
    [shop, '127.0.0.11'],
    [shop, '127.0.0.12'],
    [agents, '127.0.0.21'],
    [agents, '127.0.0.22'],
    [agents, '127.0.0.23'],
    [old, '127.0.0.31'],
  ] as const;
  for (const [{ text }, from] of senders) await send(text, {}, from);
  await until('the uses are written', async () => (await keys.usage([old.record.id, agents.record.id])).size === 2);
  await keys.rotate('ingestion', agents.record.id, { graceMs: 7 * DAY_MS }, ACTOR);
  await keys.revoke('ingestion', old.record.id, ACTOR, { force: true });
  await keys.disable('user', user.id, ACTOR);
  for (let i = 0; i < 14; i++) await send(old.text, {}, '127.0.0.31');
  for (let i = 0; i < 5; i++) await send('iapikeyok-not-a-key-of-ours', { 'user-agent': 'curl/8.14' }, '127.0.0.66');
  for (let i = 0; i < 3; i++) await send(batch.text, { 'user-agent': 'nightly/2.3 Python/3.13' }, '127.0.0.41');
  return [
    ['keys', 'keys', 'checkout-us'],
    ['keys-all', 'keys?all=true&sort=created&order=desc', 'legacy-importer'],
    ['key', `keys/${shop.record.id}`, 'Who uses it'],
    ['key-new', 'keys/new', 'Create the key'],
    ['live', 'live', 'Who is refused most'],
    ['service-ids', 'service-ids', 'search'],
    ['service-id', `service-ids/${owner.id}`, 'Keys and tokens'],
    ['users', 'users', 'dora'],
    ['tokens', 'tokens', 'terraform'],
    ['token-new', 'tokens/new', 'Create the token'],
    ['audit', 'audit', 'Changes, newest first'],
  ];
}
