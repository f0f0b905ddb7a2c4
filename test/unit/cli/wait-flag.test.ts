import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError, EXIT } from '../../../src/cli/errors.ts';
import { confirmPropagation } from '../../../src/cli/wait-flag.ts';

test('a change that nobody could be asked about is made, and not confirmed', () => {
  assert.throws(
    () => confirmPropagation({ complete: false, replicas: [] }, 1_000),
    (error: unknown) =>
      error instanceof CliError && error.exitCode === EXIT.unconfirmed && /the change is made, but/.test(error.message),
  );
  confirmPropagation({ complete: true, replicas: [] }, 1_000);
});
