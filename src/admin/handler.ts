import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import type { CredentialRules } from '../credential/read.ts';
import type { Credential, Gate } from '../gate.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { KeyService } from '../keys/service.ts';
import type { KeyStore } from '../store/port.ts';
import { answerTo, asMessage, errors, forbidden, notLetIn } from './answer.ts';
import type { Answer } from './answer.ts';
import { nameOf } from './caller.ts';
import { createExplainOperation } from './explain.ts';
import { createGroundcoverRoutes } from './groundcover.ts';
import { createLifeOperations } from './life-operations.ts';
import { createLogLevelOperations } from './log-level.ts';
import type { LogLevelDeps } from './log-level.ts';
import { createOperations } from './operations.ts';
import { createOverviewOperation } from './overview.ts';
import type { OverviewDeps } from './overview.ts';
import { createOwnerOperations } from './owner-operations.ts';
import { permissionsOf } from './roles.ts';
import { createRouter } from './route.ts';
import type { Access } from './route.ts';
import { createRoutes } from './routes.ts';
import type { ServerInfo } from './schemas.ts';
import { sendAnswer } from './send.ts';
import { createTrafficOperation } from './traffic.ts';
import type { TrafficDeps } from './traffic.ts';
import { createTransferOperations } from './transfer-operations.ts';

/** What an admin request came to. Neither the request's body nor its credential is in here. */
export interface AdminRequest {
  readonly method: string;
  /** The route's template, so that ids and wrong paths do not multiply; absent when there is no such route. */
  readonly route?: string;
  readonly status: number;
  readonly durationMs: number;
  /** Name and id of the service token that was used, when it was valid. */
  readonly caller?: string;
  /** Why a 5xx was answered. */
  readonly cause?: unknown;
  /** The name under which the caller was told of the fault. */
  readonly trackingKey?: string;
}

export interface AdminObserver {
  readonly answered: (request: AdminRequest) => void;
}

export interface AdminHandlerOptions {
  /** Reads the credential by ADMIN_CREDENTIALS. */
  readonly gate: Gate;
  readonly service: KeyService;
  /** For what is asked of the gateways that share it; keys are the service's. */
  readonly store: KeyStore;
  /** What this gateway is called among those that share the store. */
  readonly gateway: string;
  readonly traffic: Pick<TrafficDeps, 'look'>;
  /** The state of this gateway, of all its processes together. */
  readonly overview: OverviewDeps['look'];
  readonly logLevel: Pick<LogLevelDeps, 'state' | 'change'>;
  readonly serverInfo: ServerInfo;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly observe: AdminObserver;
  /** Hears of each call that was let in, and from where. */
  readonly used?: (caller: KeyRecord, address: string) => void;
  /** Whose session of the console a request has, if it has one, or why it does not count. */
  readonly session?: (request: IncomingMessage) => Credential | { readonly refused: Answer } | undefined;
}

/** How a service token is sent, whatever senders of telemetry may use. */
export const ADMIN_CREDENTIALS: CredentialRules = {
  schemes: ['ApiKey', 'Bearer'],
  bareAuthorization: false,
  basicUsers: [],
  carriers: ['x-api-key'],
};

/** For http.createServer: requests here are small, so whoever is slow is not a client of ours. */
export const ADMIN_SERVER_OPTIONS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
} as const satisfies ServerOptions;

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** The admin API: finds the route, asks the gate who is calling, does what the route says, answers in JSON. */
export function createAdminHandler(options: AdminHandlerOptions): RequestHandler {
  const { gate, service, store, gateway, serverInfo, now, observe } = options;
  const { used = () => {}, session = () => undefined } = options;
  const { replicas } = store;
  const operations = createOperations({ gate, service, replicas, now });
  const lifeOperations = createLifeOperations({ service, replicas, now });
  const owners = {
    serviceIds: createOwnerOperations('serviceId', { service, replicas, now }),
    users: createOwnerOperations('user', { service, replicas, now }),
  };
  const transferOperations = createTransferOperations({ service, now });
  const explain = createExplainOperation({ store, now });
  const traffic = createTrafficOperation({ ...options.traffic, gateway, now });
  const logLevel = createLogLevelOperations({ ...options.logLevel, gateway, now });
  const version = serverInfo.platformVersion;
  const overview = createOverviewOperation({ look: options.overview, gateway, version, replicas, now });
  const findRoute = createRouter(
    createRoutes(
      operations,
      lifeOperations,
      owners,
      transferOperations,
      explain,
      { traffic, overview },
      logLevel,
      createGroundcoverRoutes({ service, now }),
      serverInfo,
    ),
  );
  const stamp = { now };

  type Entry = { readonly caller: KeyRecord | undefined } | { readonly refused: Answer };

  /** A token that is sent comes before a session: no other site can make a browser send one. */
  function credentialOf(request: IncomingMessage): Credential | { readonly refused: Answer } {
    const sent = gate.read(request.rawHeaders);
    const isNone = 'problem' in sent && sent.problem === 'missing_credential';
    return (isNone ? session(request) : undefined) ?? sent;
  }

  async function letIn(request: IncomingMessage, access: Access): Promise<Entry> {
    if (access === 'public') return { caller: undefined };
    const credential = credentialOf(request);
    if ('refused' in credential) return credential;
    const { decision } = await gate.judgeCredential(credential, { to: 'manage' });
    if (decision.verdict === 'refuse') return { refused: notLetIn(stamp, decision.reason) };
    const caller = decision.key;
    used(caller, request.socket.remoteAddress ?? '');
    const roles = caller.roles ?? [];
    if (access === 'token' || permissionsOf(roles).has(access)) return { caller };
    const message = `This needs the permission ${access}, which the roles of this token (${roles.join(', ')}) do not give.`;
    return { refused: forbidden(stamp, message) };
  }

  interface Outcome {
    readonly answer: Answer;
    readonly route?: string;
    readonly caller?: KeyRecord | undefined;
  }

  async function answer(request: IncomingMessage): Promise<Outcome> {
    const [path = '', search = ''] = (request.url ?? '').split('?', 2);
    const match = findRoute(request.method ?? '', path);
    if (match === undefined) {
      return {
        answer: errors(stamp, 404, 'NotFound', ['There is no such path. See /api/openapi.json for those there are.']),
      };
    }
    if ('allowed' in match) {
      const allow = match.allowed.join(', ');
      const refusal = errors(stamp, 405, 'MethodNotAllowed', [`This path takes ${allow}.`]);
      return { answer: { ...refusal, headers: { allow } } };
    }
    const { route, id } = match;
    let caller: KeyRecord | undefined;
    const toOutcome = (said: Answer): Outcome => ({
      answer: route.errorForm === 'message' ? asMessage(said) : said,
      route: route.path,
      caller,
    });
    try {
      const entry = await letIn(request, route.access);
      if ('refused' in entry) return toOutcome(entry.refused);
      caller = entry.caller;
      return toOutcome(await route.handle({ request, id, query: new URLSearchParams(search), caller }));
    } catch (error) {
      return toOutcome(answerTo(stamp, error, route.invalidExpiry));
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = now();
    const { answer: said, route, caller } = await answer(request);
    const trackingKey = sendAnswer(response, said);
    observe.answered({
      method: request.method ?? '',
      status: said.status,
      durationMs: now() - startedAt,
      ...(route !== undefined && { route }),
      ...(caller !== undefined && { caller: nameOf(caller) }),
      ...(said.cause !== undefined && { cause: said.cause }),
      ...(trackingKey !== undefined && { trackingKey }),
    });
  }

  return (request, response) => void serve(request, response);
}
