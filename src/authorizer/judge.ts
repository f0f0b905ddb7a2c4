import type { RawFields } from '../credential/read.ts';
import type { Gate } from '../gate.ts';
import { createNamesToRemove, identityFields } from '../headers.ts';
import type { UpstreamHead } from '../headers.ts';
import type { Exchanges } from '../plane/library/exchange.ts';
import type { AuthzPort } from '../plane/plane.ts';
import type { GrpcRoutes, HttpRoutes } from '../plane/routes.ts';
import type { HttpAsker } from '../reply/http.ts';
import { explain } from '../reply/refusal.ts';
import type { Reply } from '../reply/refusal.ts';
import type { Decision, Sending } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';

/** What a proxy asks about: a request that it holds, as far as it says. */
export interface Question {
  readonly port: AuthzPort;
  /** Path and query; absent if it is not said, or said in two ways. */
  readonly target: string | undefined;
  /** Absent: it is not said. */
  readonly method: string | undefined;
  /** As the sender sent them, and what the proxy added. */
  readonly fields: RawFields;
  /** The address of whoever opened the connection to the proxy. */
  readonly peer: string;
}

export type Answer =
  | {
      readonly verdict: 'allow';
      /** What the proxy is to put into the request, in place of what is there by these names. */
      readonly set: readonly (readonly [name: string, value: string])[];
      readonly remove: readonly string[];
    }
  | {
      readonly verdict: 'refuse';
      readonly reply: Reply;
      /** Of the request that is asked about. */
      readonly asker: HttpAsker;
      readonly isGrpc: boolean;
    };

export type Judge = (question: Question) => Promise<Answer>;

/** Where requests lead is the proxy's business: here a path says what is sent, and by which rules. */
export interface JudgedRoutes {
  readonly grpc: GrpcRoutes;
  readonly http: HttpRoutes<null>;
}

export interface JudgeOptions extends UpstreamHead {
  readonly gate: Pick<Gate, 'judge'>;
  readonly routes: JudgedRoutes;
  readonly exchanges: Exchanges;
}

type Asked = Pick<Sending, 'route' | 'signal' | 'isNotForPages'> & {
  readonly methods: readonly string[];
  readonly isGrpc: boolean;
};

/** The sentence for a request that somebody else relays: the same gate, and the same report of how it ended. */
export function createJudge({ gate, routes, exchanges, ...head }: JudgeOptions): Judge {
  const namesToRemove = createNamesToRemove(head);

  /**
   * As at the data ports; but whoever asks can be told yes or no, and not to ask for something else. So what is relayed there by another
   * name, or without the key in its query, is no route here, and nor is what Keygate itself answers there.
   */
  function find(target: string): Asked | undefined {
    const path = pathOf(target);
    const grpc = routes.grpc.get(path);
    if (grpc !== undefined) return { route: grpc.name, signal: grpc.signal, methods: ['POST'], isGrpc: true };
    const { route, target: relayed } = routes.http(target);
    if (route === undefined || route.isQuestion || relayed !== (route.name === 'agent' ? target : path))
      return undefined;
    const { name, signal, methods, forPages } = route;
    return { route: name, signal, methods, isNotForPages: !forPages, isGrpc: false };
  }

  return async ({ port, target, method, fields, peer }) => {
    const asked = target === undefined ? undefined : find(target);
    const exchange = exchanges.begin({
      protocol: port,
      route: asked?.route,
      signal: asked?.signal,
      peer,
      userAgent: fieldIn(fields, 'user-agent'),
      fields,
    });

    async function decide(): Promise<Decision> {
      if (target === undefined) return refused('unclear_question');
      if (asked === undefined) return refused('not_found');
      if (method !== undefined && !asked.methods.includes(method)) return refused('method_not_allowed');
      const { route, signal, isNotForPages } = asked;
      const origin = fieldIn(fields, 'origin');
      const judgement = await gate.judge(fields, { to: 'send', signal, route, isNotForPages, peer, origin });
      exchange.judged(judgement);
      return judgement.decision;
    }

    const decision = await decide();
    if (decision.verdict === 'allow') {
      exchange.end('accepted');
      const set = identityFields(decision.key, head.tenantHeader);
      return { verdict: 'allow', set, remove: namesToRemove(fields, set) };
    }
    exchange.end(decision.reason);
    const contentType = fieldIn(fields, 'content-type');
    return {
      verdict: 'refuse',
      reply: explain(decision, exchange.requestId),
      asker: { contentType, otherwise: 'text', methods: asked?.methods ?? [] },
      isGrpc: asked?.isGrpc ?? contentType?.startsWith('application/grpc') ?? false,
    };
  };
}

export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

function refused(reason: Reason): Decision {
  return { verdict: 'refuse', reason };
}

/** The first of this name, which is in lower case. */
function fieldIn(fields: RawFields, name: string): string | undefined {
  return valuesIn(fields, name)[0];
}

/** All of this name, which is in lower case, in their order. */
export function valuesIn(fields: RawFields, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === name) values.push(fields[i + 1] ?? '');
  }
  return values;
}
