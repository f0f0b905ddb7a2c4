import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from '../../../src/admin/route.ts';
import type { Method, Route } from '../../../src/admin/route.ts';

function route(method: Method, path: string): Route {
  const operationId = `${method} ${path}`;
  return { method, path, access: 'token', operationId, summary: '', answers: {}, handle: () => ({ status: 204 }) };
}

const find = createRouter([route('GET', '/api/x.y'), route('POST', '/api/x.y'), route('DELETE', '/api/keys/{id}')]);

test('a route is found by method and path, and {id} is one segment', () => {
  const match = find('DELETE', '/api/keys/12');
  assert.ok(match !== undefined && 'route' in match);
  assert.deepEqual([match.route.operationId, match.id], ['DELETE /api/keys/{id}', '12']);
});

test('a known path with another method tells which methods there are', () => {
  assert.deepEqual(find('PUT', '/api/x.y'), { allowed: ['GET', 'POST'] });
});

test('paths are taken literally', () => {
  for (const path of ['/api/x.y/', '/API/x.y', '/api/keys/', '/api/keys/1/2', '/api/keys/12/', '//api/x.y', '']) {
    assert.equal(find('GET', path), undefined, path);
  }
});
