import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { openStore } from '../../src/store/open.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { createCliHome } from '../support/run-cli.ts';
import type { CliResult } from '../support/run-cli.ts';
import { sharedStoreKinds } from '../support/shared-stores.ts';
import { until } from '../support/wait.ts';

interface Progress {
  readonly complete: boolean;
  readonly replicas: readonly { readonly name: string; readonly state: string; readonly milliseconds?: number }[];
}

const json = ({ stdout }: CliResult): Record<string, unknown> & { readonly propagation: Progress } =>
  JSON.parse(stdout);

interface Explanation {
  readonly replicas: readonly {
    readonly name: string;
    readonly answer?: Record<'level' | 'verdict' | 'keyId' | 'reason' | 'httpStatus', unknown>;
  }[];
}

async function explained(result: Promise<CliResult>): Promise<Explanation> {
  const { stdout, stderr, code } = await result;
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { readonly explanation: Explanation }).explanation;
}

for (const kind of sharedStoreKinds()) {
  describe(`gateways with one key store in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    async function setUp(t: TestContext, config: Parameters<typeof startGateway>[1] = {}) {
      const directory = mkdtempSync(join(tmpdir(), 'keygate-replicas-'));
      const home = createCliHome();
      t.after(() => {
        home.remove();
        rmSync(directory, { recursive: true });
      });
      const { config: store, env } = kind.store(directory);
      const collector = await startCollector(t);
      const start = (name: string) =>
        startGateway(t, { upstream: { http: collector.httpUrl }, store, replica: { name }, ...config });
      const gateways: [Gateway, Gateway] = [await start('one'), await start('two')];
      return {
        gateways,
        cli: (...args: string[]) => home.run(args, env),
        /** As a process of its own. */
        spawnCli: (...args: string[]) => home.spawn(args, env),
        send: async ({ httpUrl }: Gateway, key: string) =>
          (await callHttp(httpUrl, { headers: { 'x-api-key': key } })).status,
        /** The store as another process has it. */
        openStore: () => {
          const opened = openStore(configSchema.parse({ store }).store);
          t.after(() => opened.close());
          return opened;
        },
      };
    }

    it('delete --wait returns when every gateway refuses the key, and tells how long each took', async (t) => {
      const { gateways, spawnCli, send } = await setUp(t);
      const { text, id } = await gateways[0].createKey();
      for (const gateway of gateways) assert.equal(await send(gateway, text), 200);
      const deleted = await spawnCli('ingestion-api-key', 'delete', id, '--wait', '-o', 'json');
      for (const gateway of gateways) assert.equal(await send(gateway, text), 403);
      assert.equal(deleted.code, 0, deleted.stderr);
      const { complete, replicas } = json(deleted).propagation;
      assert.equal(complete, true);
      assert.deepEqual(
        replicas.map(({ name, state }) => [name, state]),
        [
          ['one', 'applied'],
          ['two', 'applied'],
        ],
      );
      for (const { milliseconds = -1 } of replicas) assert.ok(milliseconds >= 0 && milliseconds < 5_000);
      await until(
        'it was measured',
        async () => (await gateways[1].metric('keygate_change_propagation_seconds_count')) > 0,
      );
    });

    it('disable and rotate wait too, and show a table of the gateways', async (t) => {
      const { gateways, cli } = await setUp(t);
      const [first, second] = [await gateways[0].createKey(), await gateways[0].createKey()];
      const disabled = await cli('ingestion-api-key', 'disable', first.id, '--wait=5s');
      assert.match(
        disabled.stdout,
        /GATEWAY +\| VERSION \| STATE +\| MS *\none .*\| applied \| [0-9.]+ *\ntwo .*\| applied/,
      );
      const rotated = await cli('ingestion-api-key', 'rotate', second.id, '--now', '--wait', '-o', 'json');
      const { predecessor } = json(rotated)['ingestion-api-key'] as { readonly predecessor: { propagation: Progress } };
      assert.equal(predecessor.propagation.complete, true);
    });

    it('names the gateway that has not confirmed, and ends with a code of its own', async (t) => {
      const { gateways, cli, openStore: open } = await setUp(t);
      const { id } = await gateways[0].createKey();
      const stuck = { id: 'stuck', name: 'stuck:1', version: '0', startedAt: 0, store: null, applied: 0 };
      await open().replicas.acknowledge({ ...stuck, appliedAt: undefined });
      const deleted = await cli('ingestion-api-key', 'delete', id, '--wait=1s');
      assert.equal(deleted.code, 10);
      assert.match(deleted.stdout, /deleted: [0-9]+\n/);
      assert.match(deleted.stdout, /stuck:1 \| 0 +\| waiting \| -/);
      assert.match(
        deleted.stderr,
        /1 of 3 gateways have not confirmed it within 1 s: stuck:1\. .*cache\.freshFor.*cache\.staleFor/,
      );
    });

    it('says so when no gateway is live', async (t) => {
      const { gateways, cli } = await setUp(t);
      const { id } = await gateways[0].createKey();
      for (const { app } of gateways) await app.close();
      const deleted = await cli('ingestion-api-key', 'delete', id, '--wait');
      assert.equal(deleted.code, 0, deleted.stderr);
      assert.match(deleted.stdout, /No gateway is live/);
    });

    it('the admin API waits when it is asked to, and refuses a wait that is none', async (t) => {
      const { gateways, cli } = await setUp(t);
      const token = json(await cli('service-token', 'create', '--name', 'ops', '--roles', 'admin', '-o', 'json'));
      const remote = {
        token: (token['service-token'] as { readonly token: string }).token,
        url: `http://127.0.0.1:${gateways[0].addresses.admin.port}`,
      };
      const { id } = await gateways[0].createKey();
      const path = `${remote.url}/api/security/ingestion/api_keys/${id}`;
      const headers = { authorization: `ApiKey ${remote.token}` };
      assert.equal((await fetch(`${path}?wait=soon`, { method: 'DELETE', headers })).status, 400);
      const answer = await fetch(`${path}?wait=true`, { method: 'DELETE', headers });
      assert.equal(answer.status, 200);
      const { complete, replicas } = (await answer.json()) as Progress;
      assert.equal(complete, true);
      assert.equal(replicas.length, 2);

      const another = await gateways[0].createKey();
      const flags = ['--url', remote.url, '--service-token', remote.token, '-o', 'json'];
      const deleted = await cli('ingestion-api-key', 'delete', another.id, '--wait=2s', ...flags);
      assert.equal(deleted.code, 0, deleted.stderr);
      assert.equal(json(deleted).propagation.complete, true);
    });

    it('explain asks each gateway what it would say to a key, which is hashed here', async (t) => {
      const { gateways, cli, send } = await setUp(t);
      const { text, id } = await gateways[0].createKey({ signals: ['logs'] });
      // The announcement of the key may come after its first use, and then it is looked up once more.
      await until('it is in memory', async () => {
        await send(gateways[1], text);
        return (await gateways[1].metric('keygate_cache_hits_total', { pool: 'known' })) > 2;
      });
      const explain = async (...args: string[]) => (await explained(cli('explain', ...args, '-o', 'json'))).replicas;
      assert.deepEqual(
        (await explain(text)).map(({ name, answer }) => [name, answer?.level, answer?.verdict, answer?.keyId]),
        [
          ['one', 'store', 'allow', id],
          ['two', 'fresh', 'allow', id],
        ],
      );
      const [first] = await explain(id, '--signal', 'traces');
      assert.equal(first?.answer?.reason, 'signal_not_allowed');
      assert.equal(first?.answer?.httpStatus, 403);

      const typo = await cli('explain', `${text.slice(0, -1)}!`);
      assert.match(typo.stdout, /without asking anybody: bad_checksum/);

      for (const { app } of gateways) await app.close();
      const table = await cli('explain', text);
      assert.match(table.stdout, /\(no gateway is live\) \| store .*\| allow/);
      assert.doesNotMatch(table.stdout, new RegExp(text));
    });

    it('each finds its canaries refused, lists none of them, and leaves none behind', async (t) => {
      const { gateways, cli, openStore: open } = await setUp(t, { canary: { interval: '50ms' } });
      await gateways[0].createKey({ name: 'the only key' });
      for (const gateway of gateways) {
        await until('canaries were refused', async () => {
          return (await gateway.metric('keygate_canary_rounds_total', { outcome: 'kept' })) >= 2;
        });
        assert.equal(await gateway.metric('keygate_canary_rounds_total', { outcome: 'broken' }), 0);
        assert.ok((await gateway.metric('keygate_canary_last_kept_timestamp_seconds')) > 0);
      }
      const listed = json(await cli('ingestion-api-key', 'list', '--all', '-o', 'json'));
      assert.equal((listed['ingestion-api-keys'] as unknown[]).length, 1);
      assert.equal((json(await cli('audit', 'list', '-o', 'json'))['audit'] as unknown[]).length, 1);
      for (const { app } of gateways) await app.close();
      assert.deepEqual(await open().list('canary'), []);
    });
  });
}
