import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { ShownLogLevel } from '../../src/admin/log-level.ts';
import { NOW, startAdmin } from '../support/admin-server.ts';
import { startGateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { createCliHome, runHere } from '../support/run-cli.ts';
import { startCollector } from '../support/collector.ts';

/** A gateway whose log is at debug, and the command line that leads to it. */
async function start(t: TestContext) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { http: collector.httpUrl }, replica: { name: 'gateway-1' } });
  const { text: token } = await gateway.createKey({ kind: 'service', name: 'sre', roles: ['admin'] });
  const { host, port } = gateway.addresses.admin;
  const env = { KEYGATE_URL: `http://${host}:${port}`, KEYGATE_SERVICE_TOKEN: token };
  const refuse = () => callHttp(gateway.httpUrl, { headers: { 'x-api-key': 'no-key-of-ours' } });
  const saidOf = (message: string) =>
    gateway.log
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line['message'] === message);
  return { gateway, refuse, saidOf, logLevel: (...args: string[]) => runHere(['log-level', ...args], env) };
}

async function startTestAdmin(t: TestContext) {
  const home = createCliHome();
  t.after(() => home.remove());
  const admin = await startAdmin({ path: home.at('keys.db') });
  t.after(() => admin.close());
  return admin;
}

describe('keygate log-level', () => {
  it('shows and changes what a running gateway writes, and the log says who did it', async (t) => {
    const { refuse, saidOf, logLevel } = await start(t);
    assert.equal((await logLevel()).stdout, 'gateway-1: debug, as configured\n');
    await refuse();
    assert.equal(saidOf('request refused').length, 1);

    const changed = await logLevel('error');
    assert.equal(changed.stdout, 'gateway-1: error until it is changed or restarted; debug is configured\n');
    await refuse();
    assert.equal(saidOf('request refused').length, 1);

    const until = /^gateway-1: info until (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC, then debug\n$/;
    assert.match((await logLevel('info', '--for', '10m')).stdout, until);
    await refuse();
    assert.equal(saidOf('request refused').length, 2);
    const changes = saidOf('the level of the log was changed');
    assert.deepEqual(
      changes.map(({ before, after, address }) => [before, after, address]),
      [
        ['debug', 'error', '127.0.0.1'],
        ['error', 'info', '127.0.0.1'],
      ],
    );
    for (const { actor } of changes) assert.match(String(actor), /^sre \(\d+\)$/);

    const { stdout } = await logLevel('-o', 'json');
    const { 'log-level': shown } = JSON.parse(stdout) as { 'log-level': ShownLogLevel };
    assert.deepEqual([shown.gateway, shown.level, shown.configured], ['gateway-1', 'info', 'debug']);
    assert.ok((shown.until ?? 0) > Date.now());
  });

  it('says what it takes, before it asks anybody', async (t) => {
    const home = createCliHome();
    t.after(() => home.remove());
    for (const [args, message] of [
      [['loud'], /invalid argument "loud" for "LEVEL" flag: it must be one of trace, debug, info,/],
      [['debug', '--for', '25h'], /it must be from 1s to 24h/],
      [['debug', '--for', 'ever'], /it must be a number with its unit/],
      [['--for', '10m'], /--for needs a LEVEL to set/],
      [['debug'], /known to a running gateway only: give its --url, with a --service-token/],
    ] as const) {
      const { code, stderr } = await home.run(['log-level', ...args]);
      assert.deepEqual([code, message.test(stderr)], [3, true], stderr);
    }
  });
});

describe('the level of the log, in the admin API,', () => {
  it('may be changed by administrators, and seen by viewers', async (t) => {
    const admin = await startTestAdmin(t);
    const ask = async (method: string, role: string) => {
      const token = await admin.tokenFor([role], `${method} ${role}`);
      const body = method === 'PUT' ? { body: { level: 'debug' } } : {};
      return (await admin.request(method, '/api/log-level', { token, ...body })).status;
    };
    const roles = ['admin', 'stackstate-admin', 'viewer', 'key-manager', 'auditor', 'validator'];
    const statuses = async (method: string) => Promise.all(roles.map((role) => ask(method, role)));
    assert.deepEqual(await statuses('GET'), [200, 200, 200, 403, 403, 403]);
    assert.deepEqual(await statuses('PUT'), [200, 200, 403, 403, 403, 403]);
  });

  it('is set for a day at most, to what there is, and every fault is named', async (t) => {
    const admin = await startTestAdmin(t);
    const token = await admin.tokenFor(['admin']);
    const put = (body: unknown) => admin.request('PUT', '/api/log-level', { token, body });
    const day = 24 * 3_600_000;
    assert.deepEqual((await put({ level: 'silent', duration: day })).json, {
      gateway: 'gateway-1',
      level: 'silent',
      configured: 'info',
      until: NOW + day,
    });
    assert.equal(admin.logged.length, 1, 'nobody makes it silent in silence');
    for (const body of [{}, { level: 'loud' }, { level: 'debug', duration: day + 1 }, { level: 'debug', for: '10m' }])
      assert.equal((await put(body)).status, 400, JSON.stringify(body));
    assert.match((await put({ level: 'debug', durations: 5_000 })).text, /was duration meant\?/);
  });
});
