import type { ServerInfo } from './schemas.ts';

/** What /api/server/info says of a version such as "1.2.3" or "1.2.3-rc.1", in the shape StackState's CLI reads. */
export function createServerInfo(version: string): ServerInfo {
  const [, major, minor, patch, diff] = /^(\d+)\.(\d+)\.(\d+)(?:-(.+))?$/.exec(version) ?? [];
  return {
    version: {
      major: Number(major ?? 0),
      minor: Number(minor ?? 0),
      patch: Number(patch ?? 0),
      diff: diff ?? '',
      commit: '',
      isDev: diff !== undefined,
    },
    platformVersion: version,
    deploymentMode: 'SelfHosted',
    applicationDomains: ['Observability'],
  };
}
