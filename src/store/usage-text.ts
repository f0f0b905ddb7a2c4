import { MAX_SOURCES, SOURCES_KEPT_MS } from './usage-port.ts';
import type { KeyUsage, Source } from './usage-port.ts';

/**
 * Usage as both stores keep it: the time of the last use, requests, bytes, and then each address with its time, all with
 * blanks between them. A script of Redis reads and writes it too, without the rounding of its JSON.
 */
export function writeUsage({ lastUsedAt, requests, bytes, sources }: KeyUsage): string {
  const seen = sources.map(({ address, lastUsedAt: at }) => `${address} ${at}`);
  return [lastUsedAt, requests, bytes, ...seen].join(' ');
}

/** Undefined for what is no usage: it is no loss that would be worth a fault. */
export function readUsage(text: string): KeyUsage | undefined {
  const [lastUsedAt, requests, bytes, ...rest] = text.split(' ');
  const sources: Source[] = [];
  for (let i = 0; i + 1 < rest.length; i += 2)
    sources.push({ address: rest[i] ?? '', lastUsedAt: Number(rest[i + 1]) });
  const usage = { lastUsedAt: Number(lastUsedAt), requests: Number(requests), bytes: Number(bytes), sources };
  const numbers = [usage.lastUsedAt, usage.requests, usage.bytes, ...sources.map((source) => source.lastUsedAt)];
  return numbers.every((number) => Number.isFinite(number) && number >= 0) ? usage : undefined;
}

/** Both together; the same as the script `USE` does in Redis. */
export function addUsage(a: KeyUsage, b: KeyUsage): KeyUsage {
  const lastUsedAt = Math.max(a.lastUsedAt, b.lastUsedAt);
  const seen = new Map<string, number>();
  for (const { address, lastUsedAt: at } of [...a.sources, ...b.sources]) {
    if (at >= lastUsedAt - SOURCES_KEPT_MS) seen.set(address, Math.max(at, seen.get(address) ?? 0));
  }
  const sources = [...seen].map(([address, at]) => ({ address, lastUsedAt: at }));
  return {
    lastUsedAt,
    requests: a.requests + b.requests,
    bytes: a.bytes + b.bytes,
    sources: sources.sort((x, y) => y.lastUsedAt - x.lastUsedAt).slice(0, MAX_SOURCES),
  };
}
