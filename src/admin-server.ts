import * as http from 'node:http';
import { ADMIN_CREDENTIALS, ADMIN_SERVER_OPTIONS, createAdminHandler } from './admin/handler.ts';
import type { AdminHandlerOptions, AdminObserver } from './admin/handler.ts';
import { createServerInfo } from './admin/server-info.ts';
import { createCredentialReader } from './credential/read.ts';
import { createGate } from './gate.ts';
import type { GateOptions } from './gate.ts';
import type { Log } from './telemetry/log.ts';
import { VERSION } from './version.ts';

export interface AdminServerOptions
  extends
    Omit<GateOptions, 'readCredential' | 'charge'>,
    Pick<AdminHandlerOptions, 'service' | 'store' | 'used' | 'gateway' | 'traffic' | 'logLevel'> {
  readonly log: Log;
}

/** The admin API as a server of its own, with a gate of its own: service tokens come in fewer ways than ingestion keys. */
export function createAdminServer({ digest, lookup, now, log, ...handling }: AdminServerOptions): http.Server {
  const gate = createGate({ readCredential: createCredentialReader(ADMIN_CREDENTIALS), digest, lookup, now });
  const handler = createAdminHandler({
    ...handling,
    gate,
    serverInfo: createServerInfo(VERSION),
    now,
    observe: { answered: answeredTo(log) },
  });
  return http.createServer(ADMIN_SERVER_OPTIONS, handler);
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
