import fc from 'fast-check';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { startCollector } from '../collector.ts';
import type { Collector } from '../collector.ts';
import { startGateway } from '../gateway.ts';
import { callHttp } from '../http-client.ts';
import { ALLOWED_HTTP1, ALLOWED_HTTP2 } from './allowed.ts';
import { findFaults } from './compare.ts';
import type { AllowedDifference, Identity, Outcomes } from './compare.ts';
import type { Part } from './exchange.ts';
import { http1Case, writeHttp1 } from './http1-cases.ts';
import type { Http1Case, KeyTexts } from './http1-cases.ts';
import { http2Case } from './http2-cases.ts';
import type { Http2Case } from './http2-cases.ts';
import { writeHttp2 } from './http2-writer.ts';
import { arrivalsOf, NAME_FIELD } from './outcome.ts';
import type { Answer, Outcome } from './outcome.ts';
import { runHttp1, runHttp2 } from './run-case.ts';

/** Cases that run at the same time. */
const TOGETHER = 50;
/** When nothing comes any more, an answer is not waited for; much longer before that is called a fault. */
const QUIET_MS = 250;
const PATIENT_MS = 2_000;

interface Server {
  readonly http1Port: number;
  readonly http2Port: number;
  readonly collector: Collector;
}

/** One protocol: what is tried over it, and how. */
export interface Kind<Case> {
  readonly cases: fc.Arbitrary<Case>;
  readonly allowed: readonly AllowedDifference[];
  /** The number of the request that is odd, infinite without one. */
  readonly oddAt: (one: Case) => number;
  readonly write: (one: Case, name: string, keys: KeyTexts) => Part[];
  readonly run: (server: Server, parts: readonly Part[], one: Case, quietMs: number) => Promise<Answer[]>;
}

export const OVER_HTTP1: Kind<Http1Case> = {
  cases: http1Case,
  allowed: ALLOWED_HTTP1,
  oddAt: ({ requests }) => placeOf(requests),
  write: writeHttp1,
  run: ({ http1Port }, parts, { requests }, quietMs) => runHttp1(http1Port, parts, requests.length, quietMs),
};

export const OVER_HTTP2: Kind<Http2Case> = {
  cases: http2Case,
  allowed: ALLOWED_HTTP2,
  oddAt: ({ streams }) => placeOf(streams),
  write: writeHttp2,
  run: ({ http2Port }, parts, { streams }, quietMs) => runHttp2(http2Port, parts, streams.length, quietMs),
};

function placeOf(plans: readonly { readonly isOdd?: boolean }[]): number {
  const at = plans.findIndex(({ isOdd }) => isOdd);
  return at === -1 ? Infinity : at;
}

/** A case that went wrong. */
export interface Finding {
  readonly faults: readonly string[];
  readonly plan: string;
  /** What was sent, one character a byte. */
  readonly sent: string;
}

/** A gateway on each plane, and a plain server. */
export class Trial {
  readonly #wire: Server;
  readonly #library: Server;
  readonly #plain: Server;
  readonly #keys: KeyTexts;
  readonly #identity: Identity;
  #names = 0;

  constructor(wire: Server, library: Server, plain: Server, keys: KeyTexts, identity: Identity) {
    this.#wire = wire;
    this.#library = library;
    this.#plain = plain;
    this.#keys = keys;
    this.#identity = identity;
  }

  /** Tries so many cases, and gives those that went wrong, tried again alone and with patience. */
  async run<Case>(kind: Kind<Case>, seed: number, count: number): Promise<Finding[]> {
    const findings: Finding[] = [];
    const cases = fc.sample(kind.cases, { seed, numRuns: count });
    for (let at = 0; at < cases.length; at += TOGETHER) {
      const batch = cases.slice(at, at + TOGETHER);
      const found = await Promise.all(batch.map((one) => this.#try(kind, one, QUIET_MS)));
      for (const [i, one] of batch.entries()) {
        const finding = found[i] && (await this.#try(kind, one, PATIENT_MS));
        if (finding) findings.push(finding);
      }
    }
    return findings;
  }

  async #try<Case>(kind: Kind<Case>, one: Case, quietMs: number): Promise<Finding | undefined> {
    const name = `n${this.#names++}`;
    const parts = kind.write(one, name, this.#keys);
    const at = async (server: Server): Promise<Outcome> => {
      const from = server.collector.arrivals.length;
      const answers = await kind.run(server, parts, one, quietMs);
      return { answers, ...arrivalsOf(server.collector.arrivals, from, `${name}-`) };
    };
    const [wire, library, plain] = await Promise.all([at(this.#wire), at(this.#library), at(this.#plain)]);
    const outcomes: Outcomes = { wire, library, plain };
    const faults = findFaults(outcomes, {
      identity: this.#identity,
      allowed: kind.allowed,
      oddAt: kind.oddAt(one),
    });
    return faults.length === 0
      ? undefined
      : { faults, plan: JSON.stringify(one), sent: parts.map(({ bytes }) => bytes.toString('latin1')).join('') };
  }
}

export async function startTrial(t: Parameters<typeof startGateway>[0]): Promise<Trial> {
  const good = createKeyText('ingestion');
  const unknown = createKeyText('ingestion');
  const mistyped = `${unknown.slice(0, -1)}${unknown.endsWith('a') ? 'b' : 'a'}`;
  const start = async (plane: 'wire' | 'library'): Promise<Server> => {
    const collector = await startCollector(t);
    const { addresses } = await startGateway(t, {
      plane,
      upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
      keys: { receiverKeys: [{ name: 'differential', key: good }] },
    });
    return { collector, http1Port: addresses.http.port, http2Port: addresses.grpc.port };
  };
  const [wire, library, collector] = await Promise.all([start('wire'), start('library'), startCollector(t)]);
  const plain = {
    collector,
    http1Port: Number(new URL(collector.httpUrl).port),
    http2Port: Number(new URL(collector.grpcUrl).port),
  };
  await callHttp(`http://127.0.0.1:${wire.http1Port}`, { headers: { 'x-api-key': good, [NAME_FIELD]: 'first' } });
  const identity = Object.entries(wire.collector.arrivals[0]?.headers ?? {})
    .filter(([name]) => name.startsWith('x-keygate-'))
    .map(([name, values]) => `${name}: ${values.join()}`);
  if (identity.length === 0) throw new Error('the first request did not get through');
  return new Trial(wire, library, plain, { good, unknown, mistyped }, identity);
}
