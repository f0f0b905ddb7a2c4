import { isIP } from 'node:net';
import { Endpoint } from './endpoint.ts';
import type { Probe } from './endpoint.ts';
import { createResolver, resolveBySystem } from './resolver.ts';
import type { Resolve } from './resolver.ts';
import type { UpstreamTarget } from './target.ts';

export interface EndpointsObserver {
  /** How many addresses there are, whenever that changes. */
  addresses(healthy: number, ejected: number): void;
  ejected(endpoint: Endpoint): void;
  /** Whether the name can be resolved, when that changes; it is taken for granted until it cannot. */
  resolved(outcome: 'ok' | 'failed', error?: Error): void;
}

export interface EndpointsOptions {
  readonly target: UpstreamTarget;
  readonly resolve?: Resolve;
  /** How often it is asked anew which addresses the host has. */
  readonly resolveIntervalMs: number;
  /** What an ejected address must pass before it gets requests again. Without it, time is enough. */
  readonly probe?: Probe;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  readonly observe?: EndpointsObserver;
}

/** `removed`: it gets no new requests, and what is under way there may finish. */
export type EndpointsListener = (change: 'added' | 'removed', endpoint: Endpoint) => void;

/** The addresses that a collector has now, and which of them is next. */
export interface Endpoints {
  /**
   * The next one in turn, but not the one that a request has just failed at. Undefined: there is no such address, or the
   * name has not been found yet.
   */
  pick(except?: Endpoint): Endpoint | undefined;
  /** Tells at once of all that are there, and then of each that comes or goes. */
  onChange(listener: EndpointsListener): void;
  close(): void;
}

/** A name that has more addresses is used with these. */
const MAX_ADDRESSES = 256;

/**
 * Follows the addresses of a host. While its name cannot be resolved they stay what they were: a DNS server that is away
 * takes no collector with it. Requests go in turn to each address that is well; if none is, to all of them, so that the
 * first to recover is found by the next request.
 */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { target, resolve = resolveBySystem, resolveIntervalMs, probe, now, random, observe } = options;
  const listeners: EndpointsListener[] = [];
  let all: readonly Endpoint[] = [];
  let healthyCount = 0;
  /** Those that are well, or all if none is. */
  let eligible: readonly Endpoint[] = [];
  let turn = 0;

  function replaceBy(addresses: ReadonlySet<string>): void {
    const kept = all.filter(({ address }) => addresses.has(address));
    const removed = all.filter(({ address }) => !addresses.has(address));
    const known = new Set(kept.map(({ address }) => address));
    const added = [...addresses]
      .filter((address) => !known.has(address))
      .slice(0, MAX_ADDRESSES - kept.length)
      .map((address) => new Endpoint({ address, port: target.port, random, probe, canBeSpared, changed }));
    if (added.length === 0 && removed.length === 0) return;
    // Gateways that start together do not all begin with the same one.
    if (all.length === 0) turn = Math.floor(random() * added.length);
    all = [...kept, ...added];
    for (const endpoint of removed) endpoint.retire();
    recount();
    // Whoever drains an old one knows already where to go on.
    for (const endpoint of added) tell('added', endpoint);
    for (const endpoint of removed) tell('removed', endpoint);
  }

  function tell(change: 'added' | 'removed', endpoint: Endpoint): void {
    for (const listener of listeners) listener(change, endpoint);
  }

  function recount(): void {
    const healthy = all.filter((endpoint) => !endpoint.isEjected);
    healthyCount = healthy.length;
    eligible = healthyCount > 0 ? healthy : all;
    observe?.addresses(healthyCount, all.length - healthyCount);
  }

  function changed(endpoint: Endpoint): void {
    recount();
    if (!endpoint.isEjected) return;
    observe?.ejected(endpoint);
    resolver?.soon(); // it may have moved
  }

  /** At least half of them stay. */
  function canBeSpared(): boolean {
    return (healthyCount - 1) * 2 >= all.length;
  }

  function next(): Endpoint | undefined {
    turn = turn + 1 < eligible.length ? turn + 1 : 0;
    return eligible[turn];
  }

  const isAddress = isIP(target.host) !== 0;
  const resolver = isAddress
    ? undefined
    : createResolver({
        host: target.host,
        resolve,
        intervalMs: resolveIntervalMs,
        now,
        random,
        found: replaceBy,
        changed: observe?.resolved,
      });
  if (isAddress) replaceBy(new Set([target.host]));

  return {
    pick(except) {
      const picked = next();
      if (except === undefined || picked !== except) return picked;
      return eligible.length > 1 ? next() : all.find((endpoint) => endpoint !== except);
    },
    onChange(listener) {
      listeners.push(listener);
      for (const endpoint of all) listener('added', endpoint);
    },
    close() {
      resolver?.close();
      for (const endpoint of all) endpoint.retire();
    },
  };
}
