import type { GeneratedKind } from '../credential/key-text.ts';
import type { RotatedKey } from '../keys/key-changes.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { KeyService } from '../keys/service.ts';
import type { Progress } from '../replica/progress.ts';
import type { ReplicaStore } from '../store/replica-port.ts';
import type { KeyUsage } from '../store/usage-port.ts';
import { forbidden } from './answer.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { actorOf, readId } from './caller.ts';
import {
  ingestionKeyUpdateSchema,
  rotationSchema,
  serviceTokenUpdateSchema,
  toAuditLogEntry,
  toIngestionKeyDetails,
  toRotatedIngestionKey,
  toRotatedServiceToken,
  toServiceTokenDetails,
} from './life-schemas.ts';
import { readAuditQuery, readKeyQuery } from './list-query.ts';
import { propagationOf, readWait } from './propagation.ts';
import { permissionsLacking } from './roles.ts';
import type { Call } from './route.ts';
import { toIngestionKey, toServiceToken } from './schemas.ts';

export interface LifeOperationOptions {
  readonly service: KeyService;
  readonly replicas: ReplicaStore;
  readonly now: () => number;
}

/** How one kind of key is shown. */
interface Views {
  readonly plain: (record: KeyRecord) => unknown;
  readonly details: (record: KeyRecord, nowMs: number, propagation?: Progress, usage?: KeyUsage) => unknown;
  readonly rotated: (rotated: RotatedKey, nowMs: number, propagation?: Progress) => unknown;
}

const VIEWS: Readonly<Record<GeneratedKind, Views>> = {
  ingestion: { plain: toIngestionKey, details: toIngestionKeyDetails, rotated: toRotatedIngestionKey },
  service: { plain: toServiceToken, details: toServiceTokenDetails, rotated: toRotatedServiceToken },
};

export type LifeOperations = ReturnType<typeof createLifeOperations>;

/** What the routes do to keys and tokens that are there already; see `createOperations` for the others. */
export function createLifeOperations({ service, replicas, now }: LifeOperationOptions) {
  const stamp = { now };

  function operationsOn(kind: GeneratedKind) {
    const { plain, details, rotated } = VIEWS[kind];

    async function list({ query }: Call): Promise<Answer> {
      const parsed = readKeyQuery(stamp, query);
      if ('refused' in parsed) return parsed.refused;
      const { details: withDetails = parsed.value.all, ...wanted } = parsed.value;
      const records = await service.list(kind, wanted);
      if (!withDetails) return { status: 200, body: records.map(plain) };
      const usage = await service.usage(records.map(({ id }) => id));
      const nowMs = now();
      return { status: 200, body: records.map((record) => details(record, nowMs, undefined, usage.get(record.id))) };
    }

    async function get(call: Call): Promise<Answer> {
      const id = readId(stamp, call);
      if ('refused' in id) return id.refused;
      const record = await service.get(kind, id.value);
      const usage = await service.usage([id.value]);
      return { status: 200, body: details(record, now(), undefined, usage.get(id.value)) };
    }

    async function rotate(call: Call): Promise<Answer> {
      const id = readId(stamp, call);
      if ('refused' in id) return id.refused;
      const wait = readWait(stamp, call.query);
      if ('refused' in wait) return wait.refused;
      const parsed = await readBody(stamp, call.request, rotationSchema);
      if ('refused' in parsed) return parsed.refused;
      const refusal = await refusalAbove(call, id.value);
      if (refusal !== undefined) return refusal;
      const { gracePeriod: graceMs, expiration: expiresAt } = parsed.value;
      const result = await service.rotate(kind, id.value, { graceMs, expiresAt }, actorOf(call));
      const propagation = await propagationOf(result.predecessor.digest, wait.value, replicas);
      return { status: 200, body: rotated(result, now(), propagation) };
    }

    function setting(state: 'disable' | 'enable') {
      return async (call: Call): Promise<Answer> => {
        const id = readId(stamp, call);
        if ('refused' in id) return id.refused;
        const wait = readWait(stamp, call.query);
        if ('refused' in wait) return wait.refused;
        const refusal = await refusalAbove(call, id.value);
        if (refusal !== undefined) return refusal;
        const record = await service[state](kind, id.value, actorOf(call));
        const propagation = await propagationOf(record.digest, wait.value, replicas);
        return { status: 200, body: details(record, now(), propagation) };
      };
    }

    /** Whoever rotated a token with more permissions than its own would hold one; so it may not touch it at all. */
    async function refusalAbove({ caller }: Call, id: string): Promise<Answer | undefined> {
      if (kind === 'ingestion') return undefined;
      const { roles = [] } = await service.get(kind, id);
      const lacking = permissionsLacking(caller?.roles ?? [], roles);
      if (lacking.length === 0) return undefined;
      return forbidden(stamp, `A token cannot change one that may do what it may not: ${lacking.join(', ')}.`);
    }

    return { list, get, rotate, disable: setting('disable'), enable: setting('enable'), refusalAbove };
  }

  const ingestionKeys = operationsOn('ingestion');
  const serviceTokens = operationsOn('service');

  async function updateIngestionKey(call: Call): Promise<Answer> {
    const id = readId(stamp, call);
    if ('refused' in id) return id.refused;
    const parsed = await readBody(stamp, call.request, ingestionKeyUpdateSchema);
    if ('refused' in parsed) return parsed.refused;
    const { expiration: expiresAt, ...update } = parsed.value;
    const record = await service.update('ingestion', id.value, { ...update, expiresAt }, actorOf(call));
    return { status: 200, body: toIngestionKeyDetails(record, now()) };
  }

  async function revealIngestionKey(call: Call): Promise<Answer> {
    const id = readId(stamp, call);
    if ('refused' in id) return id.refused;
    const { record, text } = await service.reveal(id.value, actorOf(call));
    return { status: 200, body: { ...toIngestionKey(record), apiKey: text } };
  }

  async function updateServiceToken(call: Call): Promise<Answer> {
    const id = readId(stamp, call);
    if ('refused' in id) return id.refused;
    const parsed = await readBody(stamp, call.request, serviceTokenUpdateSchema);
    if ('refused' in parsed) return parsed.refused;
    const refusal = await serviceTokens.refusalAbove(call, id.value);
    if (refusal !== undefined) return refusal;
    const { expiryDate: expiresAt } = parsed.value;
    const record = await service.update('service', id.value, { expiresAt }, actorOf(call));
    return { status: 200, body: toServiceTokenDetails(record, now()) };
  }

  async function readAudit({ query }: Call): Promise<Answer> {
    const parsed = readAuditQuery(stamp, query);
    if ('refused' in parsed) return parsed.refused;
    return { status: 200, body: (await service.audit(parsed.value)).map(toAuditLogEntry) };
  }

  return {
    ingestionKeys,
    serviceTokens,
    updateIngestionKey,
    revealIngestionKey,
    updateServiceToken,
    readAudit,
  };
}
