import type {
  AuditLogEntry,
  IngestionKeyDetails,
  IngestionKeyUpdate,
  RevealedIngestionKey,
  RotatedIngestionKey,
  RotatedServiceToken,
  RotationRequest,
  ServiceTokenDetails,
  ServiceTokenUpdate,
} from '../admin/life-schemas.ts';
import type { Owner, OwnerDetails } from '../admin/owner-schemas.ts';
import type {
  CreatedServiceToken,
  GeneratedIngestionKey,
  IngestionKey,
  NewIngestionKey,
  NewServiceToken,
  ServiceToken,
} from '../admin/schemas.ts';
import type { ExplainRequest, ShownExplanation } from '../admin/explain.ts';
import type { NewLogLevel, ShownLogLevel } from '../admin/log-level.ts';
import type { Propagation } from '../admin/propagation.ts';
import type { ShownTraffic } from '../admin/traffic.ts';
import type { ImportResult } from '../admin/transfer-schemas.ts';
import type { Digester } from '../credential/digest.ts';
import type { Tokens } from '../credential/token.ts';
import type { Revocation } from '../keys/key-changes.ts';
import type { KeyQuery } from '../keys/key-query.ts';
import type { ExportQuery } from '../keys/transfer.ts';
import type { AuditQuery } from '../store/port.ts';

/** Milliseconds to wait at most until every gateway has applied the change; undefined for not at all. */
export type Wait = number | undefined;

/** What can be done to keys of one kind that are there already. */
export interface KeyLife<Details, Rotated> {
  /** With what is known of the life and the use of each. */
  listDetails(query: KeyQuery): Promise<Details[]>;
  get(id: string): Promise<Details>;
  rotate(id: string, rotation: RotationRequest, wait?: Wait): Promise<Rotated>;
  disable(id: string, wait?: Wait): Promise<Details>;
  enable(id: string, wait?: Wait): Promise<Details>;
}

/** Roles as they were typed: whoever manages owners says which ones there are. */
export interface NewOwnerRequest {
  readonly name: string;
  readonly description?: string;
  readonly roles?: readonly string[];
}

/** What can be done to owners of one kind. Each change tells how many keys go with it. */
export interface OwnerAdmin {
  create(owner: NewOwnerRequest): Promise<OwnerDetails>;
  list(query: KeyQuery): Promise<Owner[]>;
  get(id: string): Promise<OwnerDetails>;
  update(id: string, update: Partial<Omit<NewOwnerRequest, 'name'>>): Promise<OwnerDetails>;
  lock(id: string, wait?: Wait): Promise<OwnerDetails>;
  unlock(id: string, wait?: Wait): Promise<OwnerDetails>;
  delete(id: string, wait?: Wait, revocation?: Revocation): Promise<OwnerDetails>;
}

/** A page of keys, which go into a file as they are. */
export interface ExportedKeys {
  readonly keys: readonly object[];
  /** Where to read on from; absent at the end. */
  readonly next?: string | undefined;
}

/**
 * What the commands need of whoever manages keys: the admin API of a running gateway, or the key store itself. Both
 * speak in the shapes of the admin API, and throw a CliError for everything that goes wrong.
 */
export interface KeyAdmin {
  createIngestionKey(key: NewIngestionKey): Promise<GeneratedIngestionKey>;
  listIngestionKeys(query: KeyQuery): Promise<IngestionKey[]>;
  /** Resolves with who has applied it, if that was to be waited for. */
  deleteIngestionKey(id: string, revocation: Revocation, wait?: Wait): Promise<Propagation | undefined>;
  createServiceToken(token: NewServiceToken): Promise<CreatedServiceToken>;
  listServiceTokens(query: KeyQuery): Promise<ServiceToken[]>;
  deleteServiceToken(id: string, revocation: Revocation, wait?: Wait): Promise<Propagation | undefined>;
  readonly ingestionKeys: KeyLife<IngestionKeyDetails, RotatedIngestionKey>;
  readonly serviceTokens: KeyLife<ServiceTokenDetails, RotatedServiceToken>;
  readonly serviceIds: OwnerAdmin;
  readonly users: OwnerAdmin;
  updateServiceToken(id: string, update: ServiceTokenUpdate): Promise<ServiceTokenDetails>;
  updateIngestionKey(id: string, update: IngestionKeyUpdate): Promise<IngestionKeyDetails>;
  revealIngestionKey(id: string): Promise<RevealedIngestionKey>;
  /** What became of each line, in their order; at most MAX_IMPORT_LINES of them. */
  importKeys(lines: readonly object[], options: { readonly dryRun: boolean }): Promise<ImportResult[]>;
  exportKeys(query: ExportQuery): Promise<ExportedKeys>;
  /** The digests under which a text would be looked up; it does not leave this process for it. */
  readonly digestsOf: Digester;
  /** Reads a token with the secrets that are configured here, if any are. */
  readonly readToken: Tokens['read'];
  explain(request: ExplainRequest): Promise<ShownExplanation>;
  /** What passes the gateway that is asked, with so many of the sources that it refuses most. */
  traffic(mostSources: number): Promise<ShownTraffic>;
  /** How much the gateway that is asked writes to its log. */
  logLevel(): Promise<ShownLogLevel>;
  setLogLevel(level: NewLogLevel): Promise<ShownLogLevel>;
  /** Newest first. */
  audit(query: AuditQuery): Promise<AuditLogEntry[]>;
  close(): Promise<void>;
}
