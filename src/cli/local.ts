import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { unknownRolesFault } from '../admin/roles.ts';
import {
  toAuditLogEntry,
  toIngestionKeyDetails,
  toRotatedIngestionKey,
  toRotatedServiceToken,
  toServiceTokenDetails,
} from '../admin/life-schemas.ts';
import { toOwner, toOwnerDetails } from '../admin/owner-schemas.ts';
import type { OwnerDetails } from '../admin/owner-schemas.ts';
import { explainKey } from '../admin/explain.ts';
import { propagationOf } from '../admin/propagation.ts';
import { toIngestionKey, toServiceToken } from '../admin/schemas.ts';
import { formatFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import type { GeneratedKind } from '../credential/key-text.ts';
import { digesterOf, sealerOf, tokensOf } from '../key-options.ts';
import type { Actor } from '../keys/audit.ts';
import type { RotatedKey } from '../keys/key-changes.ts';
import type { Progress } from '../replica/progress.ts';
import type { KeyRecord, OwnerKind } from '../keys/record.ts';
import { KeyServiceError } from '../keys/service-error.ts';
import { createKeyService } from '../keys/service.ts';
import { openStore } from '../store/open.ts';
import type { KeyUsage } from '../store/usage-port.ts';
import { StoreError } from '../store/port.ts';
import { CliError, EXIT } from './errors.ts';
import type { KeyAdmin, KeyLife, OwnerAdmin, Wait } from './key-admin.ts';

export interface LocalOptions {
  /** The configuration file, if one was named. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly note: (line: string) => void;
}

/** Manages keys in the configured store, without a running gateway. Gateways hear of it through the store. */
export async function openLocalKeyAdmin({ file, env, note }: LocalOptions): Promise<KeyAdmin> {
  // Keys can be made before it is known where the collector is, so `dev`: that is all it leaves unasked here.
  const loaded = loadConfig({ file, env, dev: true });
  if (!loaded.ok) throw new CliError(formatFaults(loaded.faults), { exitCode: EXIT.refused });
  const { store: choice, keys } = loaded.config;
  note(`using the key store ${choice.redis === null ? `in ${choice.sqlite.path}` : 'in Redis'} directly`);

  const store = await orCliError(() => openStore(choice));
  const digester = digesterOf(keys);
  const service = createKeyService({
    store,
    digester,
    now: Date.now,
    random: randomBytes,
    tombstoneMs: choice.tombstones,
    sealer: sealerOf(keys),
  });
  const actor: Actor = { name: `cli:${userName()}`, via: 'cli' };

  const propagation = ({ digest }: KeyRecord, wait: Wait) => propagationOf(digest, wait, store.replicas);

  function lifeOf<Details, Rotated>(
    kind: GeneratedKind,
    toDetails: (record: KeyRecord, nowMs: number, propagation?: Progress, usage?: KeyUsage) => Details,
    toRotated: (rotated: RotatedKey, nowMs: number, propagation?: Progress) => Rotated,
  ): KeyLife<Details, Rotated> {
    const details = (record: KeyRecord, propagation?: Progress): Details => toDetails(record, Date.now(), propagation);
    async function withUsage(records: readonly KeyRecord[]): Promise<Details[]> {
      const usage = await service.usage(records.map(({ id }) => id));
      return records.map((record) => toDetails(record, Date.now(), undefined, usage.get(record.id)));
    }
    return {
      listDetails: (query) => orCliError(async () => withUsage(await service.list(kind, query))),
      get: (id) =>
        orCliError(async () => {
          const record = await service.get(kind, id);
          return toDetails(record, Date.now(), undefined, (await service.usage([id])).get(id));
        }),
      rotate: (id, { gracePeriod: graceMs, expiration: expiresAt }, wait) =>
        orCliError(async () => {
          const rotated = await service.rotate(kind, id, { graceMs, expiresAt }, actor);
          return toRotated(rotated, Date.now(), await propagation(rotated.predecessor, wait));
        }),
      disable: (id, wait) =>
        orCliError(async () => {
          const record = await service.disable(kind, id, actor);
          return details(record, await propagation(record, wait));
        }),
      enable: (id, wait) =>
        orCliError(async () => {
          const record = await service.enable(kind, id, actor);
          return details(record, await propagation(record, wait));
        }),
    };
  }

  function ownersOf(kind: OwnerKind): OwnerAdmin {
    const told = (work: () => Promise<KeyRecord>, wait?: Wait): Promise<OwnerDetails> =>
      orCliError(async () => {
        const record = await work();
        const applied = await propagation(record, wait);
        return toOwnerDetails(record, await service.ownedBy(record.id), applied);
      });
    return {
      create: (owner) => told(() => service.createOwner({ ...owner, kind }, actor)),
      list: (query) => orCliError(async () => (await service.list(kind, query)).map(toOwner)),
      get: (id) => told(() => service.get(kind, id)),
      update: (id, update) => told(() => service.update(kind, id, update, actor)),
      lock: (id, wait) => told(() => service.disable(kind, id, actor), wait),
      unlock: (id, wait) => told(() => service.enable(kind, id, actor), wait),
      delete: (id, wait, revocation) => told(() => service.revoke(kind, id, actor, revocation), wait),
    };
  }

  return {
    createIngestionKey: ({ expiration: expiresAt, ...key }) =>
      orCliError(async () => {
        const { record, text } = await service.create({ ...key, kind: 'ingestion', expiresAt }, actor);
        return { ...toIngestionKey(record), apiKey: text };
      }),
    listIngestionKeys: (query) => orCliError(async () => (await service.list('ingestion', query)).map(toIngestionKey)),
    deleteIngestionKey: (id, revocation, wait) =>
      orCliError(async () => propagation(await service.revoke('ingestion', id, actor, revocation), wait)),
    createServiceToken: ({ name, roles, dedicatedSubject, expiryDate: expiresAt }) =>
      orCliError(async () => {
        const fault = unknownRolesFault(roles);
        if (fault !== undefined) throw new CliError(fault, { exitCode: EXIT.refused });
        const key = { kind: 'service', name, roles, owner: dedicatedSubject, expiresAt } as const;
        const { record, text } = await service.create(key, actor);
        return { ...toServiceToken(record), token: text };
      }),
    listServiceTokens: (query) => orCliError(async () => (await service.list('service', query)).map(toServiceToken)),
    deleteServiceToken: (id, revocation, wait) =>
      orCliError(async () => propagation(await service.revoke('service', id, actor, revocation), wait)),
    ingestionKeys: lifeOf('ingestion', toIngestionKeyDetails, toRotatedIngestionKey),
    serviceTokens: lifeOf('service', toServiceTokenDetails, toRotatedServiceToken),
    serviceIds: ownersOf('serviceId'),
    users: ownersOf('user'),
    updateServiceToken: (id, { expiryDate: expiresAt }) =>
      orCliError(async () =>
        toServiceTokenDetails(await service.update('service', id, { expiresAt }, actor), Date.now()),
      ),
    updateIngestionKey: (id, { expiration: expiresAt, ...update }) =>
      orCliError(async () => {
        const record = await service.update('ingestion', id, { ...update, expiresAt }, actor);
        return toIngestionKeyDetails(record, Date.now());
      }),
    revealIngestionKey: (id) =>
      orCliError(async () => {
        const { record, text } = await service.reveal(id, actor);
        return { ...toIngestionKey(record), apiKey: text };
      }),
    importKeys: (lines, { dryRun }) =>
      orCliError(() =>
        service.import(
          {
            lines,
            dryRun,
            refusal: ({ kind, roles = [] }) => (kind === 'service' ? unknownRolesFault(roles) : undefined),
          },
          actor,
        ),
      ),
    exportKeys: (query) => orCliError(() => service.export(query)),
    digestsOf: digester,
    readToken: (text) => tokensOf(keys)?.read(text),
    audit: (query) => orCliError(async () => (await service.audit(query)).map(toAuditLogEntry)),
    explain: (request) =>
      orCliError(async () => {
        const explanation = await explainKey(request, { store, now: Date.now, may: () => true });
        if (typeof explanation === 'object') return explanation;
        const message = `There is no key or token with the id ${request.id}. List them to see their ids.`;
        throw new CliError(message, { exitCode: EXIT.notFound });
      }),
    traffic: isOfGateway,
    logLevel: isOfGateway,
    setLogLevel: isOfGateway,
    close: () => store.close(),
  };
}

/** What only a gateway knows. */
async function isOfGateway(): Promise<never> {
  const message = 'this is known to a running gateway only: give its --url, with a --service-token';
  throw new CliError(message, { exitCode: EXIT.refused });
}

/** The one door through which faults of the key service and of the store become faults of a command. */
async function orCliError<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KeyServiceError) {
      throw new CliError(error.message, { exitCode: error.code === 'not_found' ? EXIT.notFound : EXIT.refused });
    }
    if (error instanceof StoreError) {
      throw new CliError(error.message, { exitCode: EXIT.connect, cause: error });
    }
    throw error;
  }
}

/** Containers run under user ids that have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
