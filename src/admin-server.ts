import * as http from 'node:http';
import { ADMIN_CREDENTIALS, ADMIN_SERVER_OPTIONS, createAdminHandler } from './admin/handler.ts';
import type { AdminHandlerOptions, AdminObserver } from './admin/handler.ts';
import { createServerInfo } from './admin/server-info.ts';
import { createConsole } from './console/console.ts';
import type { ConsoleOptions } from './console/console.ts';
import type { ConsoleObserver } from './console/session-routes.ts';
import { createCredentialReader } from './credential/read.ts';
import { createGate } from './gate.ts';
import type { GateOptions } from './gate.ts';
import type { Log } from './telemetry/log.ts';
import { VERSION } from './version.ts';

export interface AdminServerOptions
  extends
    Omit<GateOptions, 'readCredential' | 'charge'>,
    Pick<AdminHandlerOptions, 'service' | 'store' | 'used' | 'gateway' | 'traffic' | 'overview' | 'logLevel'>,
    Pick<ConsoleOptions, 'random' | 'publicUrl'> {
  readonly log: Log;
}

/**
 * The admin API and the console as a server of its own, with a gate of its own: service tokens come in fewer ways than
 * ingestion keys.
 */
export function createAdminServer(options: AdminServerOptions): http.Server {
  const { digest, lookup, now, random, publicUrl, log, ...handling } = options;
  const gate = createGate({ readCredential: createCredentialReader(ADMIN_CREDENTIALS), digest, lookup, now });
  const observe = { answered: answeredTo(log), signIn: signInTo(log) };
  const web = createConsole({ gate, version: VERSION, now, random, publicUrl, observe });
  const handler = createAdminHandler({
    ...handling,
    gate,
    session: web.session,
    serverInfo: createServerInfo(VERSION),
    now,
    observe,
  });
  return http.createServer(ADMIN_SERVER_OPTIONS, (request, response) => {
    if (!web.serve(request, response)) handler(request, response);
  });
}

function signInTo(log: Log): ConsoleObserver['signIn'] {
  return ({ outcome, address, caller }) =>
    log(outcome === 'signed in' ? 'info' : 'warn', `console: ${outcome}`, { address, actor: caller });
}

function answeredTo(log: Log): AdminObserver['answered'] {
  return ({ method, route, status, durationMs, caller, cause, trackingKey }) =>
    log(status >= 500 ? 'warn' : 'debug', 'admin request', {
      method,
      route,
      status,
      duration_ms: durationMs,
      actor: caller,
      tracking_key: trackingKey,
      cause: cause instanceof Error ? cause.message : undefined,
    });
}
