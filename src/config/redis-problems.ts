import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

type Redis = NonNullable<Config['store']['redis']>;

/** What options of store.redis say against one another. */
export function redisProblems(redis: Redis): readonly Problem[] {
  return [...placeProblems(redis), ...loginProblems(redis), ...tlsProblems(redis), ...timeProblems(redis)];
}

function problem(option: keyof Redis, message: string, ...others: readonly (keyof Redis)[]): Problem {
  return { path: ['store', 'redis', option], message, others: others.map((other) => `store.redis.${other}`) };
}

/** There is exactly one way to Redis. */
function placeProblems({ url, sentinels, master, nodes }: Redis): Problem[] {
  const ways = [
    ...(url === null ? [] : (['url'] as const)),
    ...(sentinels.length === 0 ? [] : (['sentinels'] as const)),
    ...(nodes.length === 0 ? [] : (['nodes'] as const)),
  ];
  const [first, second] = ways;
  if (first === undefined) {
    const message =
      'must say where Redis is: set url for one server, or sentinels and master, or nodes for a Cluster';
    const others = ['store.redis.url', 'store.redis.sentinels', 'store.redis.master', 'store.redis.nodes'];
    return [{ path: ['store', 'redis'], message, others }];
  }
  if (second !== undefined) {
    return [problem(second, `must not be set beside ${first}: there is one way to Redis. Remove the other`, first)];
  }
  if (first === 'sentinels' && master === null) {
    return [problem('master', 'must be set, because sentinels is: the name they know the primary by', 'sentinels')];
  }
  if (first !== 'sentinels' && master !== null) {
    return [problem('master', 'must not be set without sentinels: nobody is asked for it', 'sentinels')];
  }
  return [];
}

function loginProblems(redis: Redis): Problem[] {
  const { url, sentinels, nodes, user, password, sentinelUser, sentinelPassword, database } = redis;
  const inUrl = url === null ? undefined : parsed(url);
  const problems: Problem[] = [];
  if (user !== null && inUrl?.username) {
    problems.push(problem('user', 'must not be set beside a url with a user in it: remove one of the two', 'url'));
  }
  if (password !== null && inUrl?.password) {
    problems.push(
      problem('password', 'must not be set beside a url with a password in it: remove one of the two', 'url'),
    );
  }
  if (database !== 0 && inUrl && /^\/[0-9]/.test(inUrl.pathname)) {
    problems.push(problem('database', 'must not be set beside a url that ends with one: remove one of the two', 'url'));
  }
  if (database !== 0 && nodes.length > 0) {
    problems.push(problem('database', 'must be 0: a Redis Cluster has no other', 'nodes'));
  }
  if (user !== null && password === null && !inUrl?.password) {
    problems.push(problem('password', 'must be set, because user is', 'user', 'url'));
  }
  if (sentinelUser !== null && sentinelPassword === null) {
    problems.push(problem('sentinelPassword', 'must be set, because sentinelUser is', 'sentinelUser'));
  }
  for (const option of ['sentinelUser', 'sentinelPassword'] as const) {
    if (redis[option] === null || sentinels.length > 0) continue;
    problems.push(problem(option, 'must not be set without sentinels: nobody is sent it', 'sentinels'));
  }
  return problems;
}

function tlsProblems(redis: Redis): Problem[] {
  const { url, tls, cert, key } = redis;
  const problems: Problem[] = [];
  if (tls && url?.startsWith('redis:')) {
    problems.push(problem('tls', 'must not be set beside a url that begins with redis://: write rediss:// there', 'url'));
  }
  const isTls = tls || url?.startsWith('rediss:');
  for (const option of ['ca', 'cert', 'key'] as const) {
    if (redis[option] === null || isTls) continue;
    const how = url === null ? 'tls is true' : 'url begins with rediss://';
    problems.push(problem(option, `must not be set unless ${how}: without TLS no certificate is looked at`, 'url', 'tls'));
  }
  if (key !== null && cert === null) problems.push(problem('cert', 'must be set, because key is', 'key'));
  if (cert !== null && key === null) problems.push(problem('key', 'must be set, because cert is', 'cert'));
  return problems;
}

function timeProblems({ socketTimeout, commandTimeout }: Redis): Problem[] {
  if (socketTimeout >= commandTimeout) return [];
  return [problem('socketTimeout', 'must not be shorter than commandTimeout', 'commandTimeout')];
}

function parsed(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}
