import type { KeyStore, PagePosition } from '../store/port.ts';
import { isLive, withoutSealed } from './record.ts';
import { KeyServiceError } from './service-error.ts';
import { TRANSFERRED_KINDS } from './transfer.ts';
import type { ExportPage, ExportQuery } from './transfer.ts';

export interface ExportOptions {
  readonly store: KeyStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type TransferredKind = (typeof TRANSFERRED_KINDS)[number];

/** Reads the store page by page, kind after kind, so that an export of any size fits in the memory of a page. */
export function createExport({ store, now }: ExportOptions) {
  return async function read({ after, limit, all = false }: ExportQuery): Promise<ExportPage> {
    const { kind, position } = after === undefined ? { kind: TRANSFERRED_KINDS[0] } : readCursor(after);
    const { records, next } = await store.page(kind, { after: position, limit });
    const nowMs = now();
    const keys = records.filter((record) => all || isLive(record, nowMs)).map(withoutSealed);
    const cursor = next === undefined ? cursorBehind(kind) : writeCursor(kind, next);
    // There are few kinds: one of which there are none is not worth a page.
    if (records.length === 0 && cursor !== undefined) return read({ after: cursor, limit, all });
    return { keys, ...(cursor !== undefined && { next: cursor }) };
  };
}

function cursorBehind(kind: TransferredKind): string | undefined {
  const nextKind = TRANSFERRED_KINDS[TRANSFERRED_KINDS.indexOf(kind) + 1];
  return nextKind && writeCursor(nextKind);
}

/** Opaque to whoever sends it back: names may hold anything. */
function writeCursor(kind: TransferredKind, position?: PagePosition): string {
  return Buffer.from(JSON.stringify([kind, ...(position ? [position.name, position.id] : [])])).toString('base64url');
}

function readCursor(cursor: string): { kind: TransferredKind; position?: PagePosition } {
  const [kindText, name, id] = parts(cursor);
  const kind = TRANSFERRED_KINDS.find((each) => each === kindText);
  if (kind === undefined) throw new KeyServiceError('invalid_cursor', 'The cursor is not one that an export gave.');
  return { kind, ...(name !== undefined && id !== undefined && { position: { name, id } }) };
}

function parts(cursor: string): string[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) && value.every((part) => typeof part === 'string') ? value : [];
  } catch {
    return [];
  }
}
