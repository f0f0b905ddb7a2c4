import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { IDENTITY } from '../../src/headers.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').toLowerCase();
const page = read('docs/authorizer.md');
const { carriers } = configSchema.parse({}).keys;

test('each example that has a list of what may hold a key has all of it', () => {
  const removing: Readonly<Record<string, (name: string) => RegExp>> = {
    'config/nginx/nginx.conf': (name) => new RegExp(`(?:proxy|grpc)_set_header ${name} "";`, 'g'),
    'config/caddy/Caddyfile': (name) => new RegExp(`request_header -${name}\n`, 'g'),
    'config/traefik/dynamic.yaml': (name) => new RegExp(`^ +${name}: ""$`, 'gm'),
  };
  for (const [file, pattern] of Object.entries(removing)) {
    for (const name of ['authorization', ...carriers])
      assert.equal(read(file).match(pattern(name))?.length, file.endsWith('nginx.conf') ? 2 : 1, `${file}: ${name}`);
  }
  // Authorization goes to Keygate by itself.
  for (const name of carriers) assert.match(read('config/envoy/envoy-http.yaml'), new RegExp(`exact: ${name}\n`));
});

test('each example that has a list of what Keygate says of a key has all of it', () => {
  for (const name of Object.values(IDENTITY)) {
    const setting = new RegExp(`(?:proxy|grpc)_set_header ${name} \\$keygate_`, 'g');
    assert.equal(read('config/nginx/nginx.conf').match(setting)?.length, 2, name);
    assert.match(read('config/caddy/Caddyfile'), new RegExp(`copy_headers .*${name}`));
  }
});

test('no example lets a request through, or has it deleted, because Keygate does not answer', () => {
  for (const file of ['envoy.yaml', 'envoy-http.yaml']) {
    assert.match(read(`config/envoy/${file}`), /status_on_error: \{ code: serviceunavailable \}/);
    assert.match(read(`config/envoy/${file}`), /failure_mode_allow: false/);
  }
  // It would be a way in: see the page.
  assert.doesNotMatch(
    read('config/envoy/envoy-http.yaml').split('http_service:')[0] ?? '',
    /(?:exact|prefix): content-type/,
  );
  assert.equal(read('config/nginx/nginx.conf').match(/error_page 403 500 = @refused_/g)?.length, 2);
});

test('the page leads to each example', () => {
  for (const file of [
    'envoy/envoy.yaml',
    'envoy/envoy-http.yaml',
    'nginx/nginx.conf',
    'haproxy/authorizer.cfg',
    'haproxy/authorizer.lua',
    'traefik/traefik.yaml',
    'traefik/dynamic.yaml',
    'caddy/caddyfile',
  ])
    assert.ok(page.includes(`(../config/${file})`), file);
});
