import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configSchema } from '../../../src/config/schema.ts';
import { QUERY_CARRIER } from '../../../src/credential/read.ts';
import { readAgentTarget } from '../../../src/plane/agent-paths.ts';

const { paths } = configSchema.parse({}).routes.agent;

function read(target: string): string {
  const [path = '', query = ''] = target.split('?', 2);
  const found = readAgentTarget(path, query, paths);
  if (found === undefined) return 'nowhere';
  const keys = found.keys.filter((each) => each !== QUERY_CARRIER);
  return [found.leadsTo, found.target, ...keys].join(' ');
}

// oxfmt-ignore
const CASES: Readonly<Record<string, string>> = {
  '/stsAgent/intake/?api_key=k': 'receiver /stsAgent/intake/ k',
  '/receiver/stsAgent/intake?api_key=k': 'receiver /stsAgent/intake k',
  '/stsAgent/api/v1/series?a=1&api_key=k&b=2': 'receiver /stsAgent/api/v1/series?a=1&b=2 k',
  '/receiver/stsAgent/logs/openshift/loki/api/v1/push': 'receiver /stsAgent/logs/openshift/loki/api/v1/push',
  '/receiver/prometheus/api/v1/write': 'receiver /prometheus/api/v1/write',
  '/prometheus/api/v1/write?api_key=': 'receiver /prometheus/api/v1/write',
  '/stsAgent': 'receiver /stsAgent',
  '/stsAgent/api/v1/validate?api_key=k': 'question /stsAgent/api/v1/validate k',
  '/receiver/stsAgent/api/v1/validate': 'question /stsAgent/api/v1/validate',
  '/stsAgent/otel/v1/traces?api_key=k': 'otlp /v1/traces k',
  '/receiver/stsAgent/otel/v1development/profiles': 'otlp /v1development/profiles',
  // Nothing else is below these paths, or is called the same.
  '/stsAgent/otel': 'receiver /stsAgent/otel',
  '/stsAgent/otel/': 'nowhere',
  '/stsAgent/otel/v1/spans': 'nowhere',
  '/stsAgent/otel/stsAgent/otel/v1/traces': 'nowhere',
  '/receiver/v1/traces': 'nowhere',
  '/receiver/receiver/stsAgent/intake': 'nowhere',
  '/receiverstsAgent/intake': 'nowhere',
  '/stsAgentX/intake': 'nowhere',
  '/StsAgent/intake': 'nowhere',
  '/prometheus/api/v1/query': 'nowhere',
  '/api/security/tokens?api_key=k': 'nowhere',
  // What another server could take for a path elsewhere.
  '/stsAgent/../api/security/tokens': 'nowhere',
  '/stsAgent/./intake': 'nowhere',
  '/stsAgent/..': 'nowhere',
  '/stsAgent//intake': 'nowhere',
  '/stsAgent/%2e%2e/api': 'nowhere',
  '/stsAgent/a%2fb': 'nowhere',
  '/stsAgent/a\\b': 'nowhere',
  '/stsAgent/a;b': 'nowhere',
  '/stsAgent/a#b': 'nowhere',
  '/receiver/../stsAgent/intake': 'nowhere',
};

describe('the path of an agent', () => {
  for (const [target, expected] of Object.entries(CASES)) {
    it(`${target} leads to ${expected}`, () => {
      assert.equal(read(target), expected);
    });
  }
});
