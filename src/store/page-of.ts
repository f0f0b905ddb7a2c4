import { byNameAndId } from '../keys/order.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { KeyPage, PageQuery } from './port.ts';

/** A page of records that are all at hand. */
export function pageOf(records: readonly KeyRecord[], { after, limit }: PageQuery): KeyPage {
  const behind = records.filter((record) => after === undefined || byNameAndId(record, after) > 0);
  const page = behind.sort(byNameAndId).slice(0, limit);
  return { records: page, next: page.length < limit ? undefined : page.at(-1) };
}
