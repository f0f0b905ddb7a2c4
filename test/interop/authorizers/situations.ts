import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createKeyText } from '../../../src/credential/key-text.ts';
import type { Arrival } from '../../support/collector.ts';
import { until } from '../../support/wait.ts';
import { SENDER_ADDRESS, USER_AGENT } from './senders.ts';
import type { Sender, Sent } from './senders.ts';
import type { Stand } from './stand.ts';

/** What is tried with each proxy and each protocol, in this order: the last one ends Keygate. Each says in a few words what was seen. */
export const SITUATIONS: Readonly<Record<string, (stand: Stand, sender: Sender) => Promise<string>>> = {
  'good key': goodKey,
  'no key': async (stand, sender) => refused(stand, sender, {}, 'missing_credential'),
  'wrong key': async (stand, sender) =>
    refused(stand, sender, { headers: { 'x-api-key': createKeyText('ingestion') } }, 'unknown_key'),
  'key of another signal': otherSignal,
  'key over its limit': overLimit,
  'key revoked while it sends': revokedKey,
  'sender told': senderTold,
  'forged fields': forgedFields,
  'store away': storeAway,
};

/** For all senders of a proxy at once. */
export const KEYGATE_AWAY = 'Keygate away';

/** With another Keygate, which answers nobody else: it shows a certificate, and wants to be shown one. */
export const OVER_TLS = 'asked over TLS';

const CARRIERS = ['x-api-key', 'apikey', 'sts-api-key'];
const LARGE = 300_000;

/** By each header that may hold it, and with a body of some size. */
async function goodKey(stand: Stand, sender: Sender): Promise<string> {
  const { id, text } = await stand.createKey({ name: 'good', tenant: 'acme' });
  const ways = [{ authorization: `Bearer ${text}` }, ...CARRIERS.map((name) => ({ [name]: text }))];
  for (const headers of ways as Record<string, string>[]) {
    const body = randomBytes(LARGE);
    const arrived = await through(stand, sender, { headers, body });
    const told = ['x-keygate-key-id', 'x-keygate-key-name', 'x-keygate-tenant'].map((name) => arrived.headers[name]);
    assert.deepEqual(told, [[id], ['good'], ['acme']]);
    assert.equal(JSON.stringify(arrived.headers).includes(text), false, `${Object.keys(headers)[0]} was passed on`);
    const framed = sender.protocol === 'grpc' ? Buffer.concat([prefixOf(body), body]) : body;
    assert.equal(arrived.bodySha256, createHash('sha256').update(framed).digest('hex'), 'the body was changed');
  }
  await stand.revoke(id);
  return `${ways.length} of ${ways.length} arrived, bodies unchanged, with whose they are and without the key`;
}

function prefixOf(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return prefix;
}

async function otherSignal(stand: Stand, sender: Sender): Promise<string> {
  const { text } = await stand.createKey({ signals: ['traces'] });
  await through(stand, sender, { headers: { 'x-api-key': text } });
  return refused(stand, sender, { signal: 'logs', headers: { 'x-api-key': text } }, 'signal_not_allowed');
}

async function overLimit(stand: Stand, sender: Sender): Promise<string> {
  const { text } = await stand.createKey({ limits: { requestsPerSecond: 1, requestBurst: 1 } });
  const sent = { headers: { 'x-api-key': text } };
  await through(stand, sender, sent);
  const { fate, said } = await sender.send(sent);
  // RESOURCE_EXHAUSTED is retried because of its RetryInfo.
  assert.ok(fate === 'retried' || said.startsWith('8 '), `it was ${fate}: ${said}`);
  return said;
}

async function revokedKey(stand: Stand, sender: Sender): Promise<string> {
  const { id, text } = await stand.createKey();
  const sent = { headers: { 'x-api-key': text } };
  await through(stand, sender, sent);
  await stand.revoke(id);
  await until('it is refused', async () => (await sender.send(sent)).fate !== 'through');
  return refused(stand, sender, sent, 'revoked_key');
}

/** In Keygate's log is who sent it, not the proxy. */
async function senderTold({ keygate }: Stand, sender: Sender): Promise<string> {
  const before = keygate.logged('request refused').length;
  const { said } = await sender.send({ signal: 'logs', headers: { 'x-api-key': 'a-foreign-key-that-nobody-has' } });
  await until('it is logged', () => keygate.logged('request refused').length > before);
  const line = keygate.logged('request refused').at(-1) ?? {};
  assert.equal(line['peer'], SENDER_ADDRESS);
  assert.ok(String(line['user_agent']).startsWith(USER_AGENT), `the program is ${String(line['user_agent'])}`);
  assert.equal(line['signal'], 'logs');
  assert.ok(said.length > 0);
  return `${SENDER_ADDRESS}, ${USER_AGENT}, ${String(line['route'])}`;
}

/** What a sender may say of itself reaches no collector, and changes no verdict. */
async function forgedFields(stand: Stand, sender: Sender): Promise<string> {
  const { id, text } = await stand.createKey({ signals: ['traces'] });
  const forged = { 'x-keygate-key-id': '1', 'x-keygate-tenant': 'forged', x_keygate_tenant: 'forged' };
  const { headers } = await through(stand, sender, { headers: { ...forged, 'x-api-key': text } });
  assert.deepEqual(headers['x-keygate-key-id'], [id]);
  const others = Object.entries(headers).filter(([, values]) => values.some((value) => value.includes('forged')));
  assert.deepEqual(others, []);
  const path =
    sender.protocol === 'grpc' ? '/opentelemetry.proto.collector.trace.v1.TraceService/Export' : '/v1/traces';
  const answers: string[] = [];
  for (const name of ['x-forwarded-uri', 'x-original-uri', 'x-original-url']) {
    const before = stand.collector.arrivals.length;
    const { fate, said } = await sender.send({ signal: 'logs', headers: { [name]: path, 'x-api-key': text } });
    assert.notEqual(fate, 'through', name);
    assert.equal(stand.collector.arrivals.length, before);
    answers.push(said);
  }
  return `removed; another path: ${[...new Set(answers)].join(', ')}`;
}

/** Known keys go on, others are to come back: nothing is deleted because a database is away. */
async function storeAway(stand: Stand, sender: Sender): Promise<string> {
  const known = await stand.createKey();
  const unknown = await stand.createKey();
  await through(stand, sender, { headers: { 'x-api-key': known.text } });
  stand.store('cut');
  try {
    await through(stand, sender, { headers: { 'x-api-key': known.text } });
    const { fate, said } = await sender.send({ headers: { 'x-api-key': unknown.text } });
    assert.equal(fate, 'retried', said);
    return `known key: arrived; unknown key: ${said}`;
  } finally {
    stand.store('open');
    await until(
      'the store is there again',
      async () => (await sender.send({ headers: { 'x-api-key': unknown.text } })).fate === 'through',
      10_000,
    );
  }
}

/** Once it is gone, for good. Never 200, and never what senders delete their data on. */
export async function keygateAway({ collector }: Stand, sender: Sender, key: string): Promise<string> {
  const said = new Set<string>();
  const before = collector.arrivals.length;
  for (let i = 0; i < 3; i++) {
    const answer = await sender.send({ headers: { 'x-api-key': key } });
    assert.equal(collector.arrivals.length, before, 'it was let through');
    assert.equal(answer.fate, 'retried', answer.said);
    said.add(answer.said);
  }
  return [...said].join(', ');
}

export async function askedOverTls(stand: Stand, protocol: Sender['protocol']): Promise<string> {
  const sender = stand.senders.find((each) => each.protocol === protocol);
  assert.ok(sender);
  const { text } = await stand.createKey();
  await through(stand, sender, { headers: { 'x-api-key': text } });
  return `good key: arrived; no key: ${await refused(stand, sender, {}, 'missing_credential')}`;
}

async function through({ collector }: Stand, sender: Sender, sent: Sent): Promise<Arrival> {
  const before = collector.arrivals.length;
  const { fate, said } = await sender.send(sent);
  assert.equal(fate, 'through', said);
  assert.equal(collector.arrivals.length, before + 1);
  const arrived = collector.arrivals.at(-1);
  assert.ok(arrived?.protocol === sender.protocol);
  return arrived;
}

async function refused({ collector, keygate }: Stand, sender: Sender, sent: Sent, reason: string): Promise<string> {
  const before = collector.arrivals.length;
  const { fate, said } = await sender.send(sent);
  assert.equal(fate, 'deleted', said);
  assert.equal(said.split(' ')[0], sender.protocol === 'grpc' ? '7' : '403');
  await until('it is logged', () => keygate.logged('request refused').at(-1)?.['reason'] === reason);
  assert.equal(collector.arrivals.length, before);
  return said;
}
