import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  permissions,
  permissionsLacking,
  permissionsOf,
  roleNames,
  unknownRolesFault,
} from '../../../src/admin/roles.ts';

test('a token may do what any of its roles allows', () => {
  assert.deepEqual(
    permissionsOf(['viewer', 'validator']),
    new Set([
      'get-ingestion-api-keys',
      'explain-keys',
      'get-service-tokens',
      'get-service-ids',
      'get-users',
      'get-traffic',
      'get-log-level',
      'authorize-ingestion-api-keys',
    ]),
  );
});

test('only the two admin roles may do everything, and only they create service tokens', () => {
  const all = roleNames.filter((role) => permissionsOf([role]).size === permissions.length);
  assert.deepEqual(all, ['admin', 'stackstate-admin']);
  assert.deepEqual(
    roleNames.filter((role) => permissionsOf([role]).has('create-service-tokens')),
    all,
  );
});

test('a role that is not known allows nothing, not even one named like a property of every object', () => {
  assert.deepEqual(permissionsOf(['king', 'constructor', '__proto__']), new Set());
});

test('what wanted roles allow beyond one’s own is named', () => {
  assert.deepEqual(permissionsLacking(['key-manager'], ['validator']), []);
  assert.deepEqual(permissionsLacking(['key-manager'], ['viewer']), ['get-service-tokens', 'get-log-level']);
  const ofViewers = [
    'get-ingestion-api-keys',
    'explain-keys',
    'get-service-tokens',
    'get-service-ids',
    'get-users',
    'get-traffic',
    'get-log-level',
  ];
  assert.deepEqual(permissionsLacking([], ['viewer']), ofViewers);
});

test('unknown roles are all named, along with those there are', () => {
  assert.equal(unknownRolesFault(['admin', 'viewer']), undefined);
  assert.equal(
    unknownRolesFault(['king', 'admin', 'toString']),
    `unknown role "king", "toString": the roles are ${roleNames.join(', ')}`,
  );
});
