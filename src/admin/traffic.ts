import { z } from 'zod';
import { VARIOUS } from '../traffic/refused-sources.ts';
import type { TrafficView } from '../traffic/traffic.ts';
import { REASONS } from '../verdict/reasons.ts';
import { errors } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Call } from './route.ts';
import { epochMs, id } from './schemas.ts';
import { DEFAULT_SOURCES, MOST_SOURCES } from './shown-sources.ts';

/** What goes over the wire about the requests that pass one gateway. */

const refusedSourceSchema = z.strictObject({
  peer: z.string().describe('The address it connects from.'),
  userAgent: z.string().optional(),
  reason: z.string(),
  keyId: id.optional(),
  keyName: z.string().optional(),
  fingerprint: z
    .string()
    .optional()
    .describe(
      `Of what was sent in place of a key that is known; "${VARIOUS}" for the rest of an address that sends many.`,
    ),
  perSecond: z.number().describe('Refusals a second, over the last minutes.'),
  count: z.int().nonnegative().describe('Refusals since firstAt.'),
  firstAt: epochMs,
  lastAt: epochMs,
  workedAt: epochMs
    .optional()
    .describe('When the same key, or the same program at this address, was let through last, if within a day.'),
});

export const trafficSchema = z.strictObject({
  gateway: z.string().describe('Its name among the replicas.'),
  at: epochMs,
  since: epochMs.describe('Since when requests are counted.'),
  outcomes: z.array(
    z.strictObject({
      verdict: z.enum(['allow', 'deny', 'undecided', 'cancelled']),
      reason: z.string().optional().describe('Of those that were refused.'),
      count: z.int().nonnegative(),
    }),
  ),
  refusedSources: z.array(refusedSourceSchema).describe('Those that worked before come first, then the heaviest.'),
});

export type ShownTraffic = z.output<typeof trafficSchema>;
export type ShownRefusedSource = z.output<typeof refusedSourceSchema>;

export const TRAFFIC_QUERY = [
  {
    name: 'sources',
    description: `So many of the refused sources at most (default ${DEFAULT_SOURCES}).`,
    schema: z.int().min(0).max(MOST_SOURCES),
  },
] as const;

export interface TrafficDeps {
  readonly look: (mostSources: number) => TrafficView | Promise<TrafficView>;
  readonly gateway: string;
  readonly now: () => number;
}

export function createTrafficOperation({ look, gateway, now }: TrafficDeps) {
  return async ({ query }: Call): Promise<Answer> => {
    const text = query.get('sources') ?? String(DEFAULT_SOURCES);
    const most = /^[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN;
    if (!(most <= MOST_SOURCES))
      return errors({ now }, 400, 'BadRequest', [`sources must be a whole number from 0 to ${MOST_SOURCES}.`]);
    return { status: 200, body: toShown(await look(most), gateway) };
  };
}

function toShown({ atMs, sinceMs, outcomes, refusedSources }: TrafficView, gateway: string): ShownTraffic {
  return {
    gateway,
    at: atMs,
    since: sinceMs,
    outcomes: [...outcomes].map(([outcome, count]) => {
      if (outcome === 'accepted') return { verdict: 'allow', count };
      if (outcome === 'cancelled') return { verdict: 'cancelled', count };
      return { verdict: REASONS[outcome].verdict, reason: outcome, count };
    }),
    refusedSources: refusedSources.map((source) => ({
      peer: source.peer,
      ...(source.userAgent !== undefined && { userAgent: source.userAgent }),
      reason: source.reason,
      ...(source.keyId !== undefined && { keyId: Number(source.keyId), keyName: source.keyName }),
      ...(source.fingerprint !== undefined && { fingerprint: source.fingerprint }),
      perSecond: Math.round(source.perSecond * 1_000) / 1_000,
      count: source.count,
      firstAt: source.firstAtMs,
      lastAt: source.lastAtMs,
      ...(source.workedAtMs !== undefined && { workedAt: source.workedAtMs }),
    })),
  };
}
