import type {
  CreatedServiceToken,
  GeneratedIngestionKey,
  IngestionKey,
  NewIngestionKey,
  NewServiceToken,
  ServiceToken,
} from '../admin/schemas.ts';

/**
 * What the commands need of whoever manages keys: the admin API of a running gateway, or the key store itself. Both
 * speak in the shapes of the admin API, and throw a CliError for everything that goes wrong.
 */
export interface KeyAdmin {
  createIngestionKey(key: NewIngestionKey): Promise<GeneratedIngestionKey>;
  listIngestionKeys(): Promise<IngestionKey[]>;
  deleteIngestionKey(id: string): Promise<void>;
  createServiceToken(token: NewServiceToken): Promise<CreatedServiceToken>;
  listServiceTokens(): Promise<ServiceToken[]>;
  deleteServiceToken(id: string): Promise<void>;
  close(): Promise<void>;
}
