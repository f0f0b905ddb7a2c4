import { INDEXED_FIELD, CHANGES_FIELD, KEYS_OF_WRITERS, STORE_FIELD, WRITER } from './scripts.ts';
import type { Script, ScriptedRedis, WriteReply } from './scripts.ts';
import type { UsageScripts } from './usage-script.ts';

/**
 * The scripts around the two indexes: `order`, by which keys are read page by page, and `deaths`, by which tombstones are
 * found. A store written by a version that had none, or written to by one, lacks entries in them. That shows: the field
 * `indexed` is then behind `changes`, or absent. What is missing is taken from the change stream, or from all records.
 */

const STATE = `
  local store = redis.call('HGET', KEYS[2], '${STORE_FIELD}')
  local changes = redis.call('HGET', KEYS[1], '${CHANGES_FIELD}') or '0'
  local indexed = redis.call('HGET', KEYS[1], '${INDEXED_FIELD}')
  -- One of the fields of the records is the id of the store.
  local is_whole = redis.call('ZCARD', KEYS[3]) >= redis.call('HLEN', KEYS[2]) - 1
`;

/** KEYS: digests, records, order. Reply: store id, number of changes, number of those that are indexed, whether none is lost. */
const READ_STATE = `${STATE}
  return { store, changes, indexed, is_whole and 1 or 0 }
`;

/**
 * KEYS: digests, records, order. ARGV: the places to read between, how many at most. Reply: store id, whether the index is
 * complete, the places, their records.
 */
const READ_PAGE = `${STATE}
  if not store or not is_whole or indexed ~= changes then return { store, 0 } end
  local places = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
  local ids = {}
  for i, place in ipairs(places) do ids[i] = string.match(place, '[^%z]*$') end
  return { store, 1, places, #ids > 0 and redis.call('HMGET', KEYS[2], unpack(ids)) or {} }
`;

/** ARGV: expected store id, the ids of keys to index. Reply: outcome, store id. */
const INDEX = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  for i = 2, #ARGV do
    local json = redis.call('HGET', records, ARGV[i])
    if json then index(ARGV[i], json) end
  end
  return { 'indexed', store }
`;

/**
 * Indexes the keys of the changes after a certain one. ARGV: expected store id, that change, how many changes at most.
 * Reply: outcome, store id, the last change that was looked at. At the end of the stream the indexes are complete.
 */
const CATCH_UP = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  local at = tonumber(ARGV[2])
  local last = tonumber(redis.call('HGET', digests, '${CHANGES_FIELD}') or 0)
  local entries = redis.call('XRANGE', changes, string.format('%d-0', at + 1), '+', 'COUNT', ARGV[3])
  for _, entry in ipairs(entries) do
    if tonumber(string.match(entry[1], '^%d+')) ~= at + 1 then return { 'gap', store, at } end
    at = at + 1
    local id = redis.call('HGET', digests, entry[2][2])
    local json = id and redis.call('HGET', records, id)
    if json then index(id, json) end
  end
  if at < last and #entries > 0 then return { 'behind', store, at } end
  if at ~= last then return { 'gap', store, at } end
  redis.call('HSET', digests, '${INDEXED_FIELD}', string.format('%d', at))
  return { 'complete', store, at }
`;

/**
 * Forgets tombstones that died before a time, some of them: all at once would stall Redis. ARGV: expected store id, that
 * time, how many at most. Reply: outcome, store id, how many were looked at, how many were forgotten.
 */
const PRUNE = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  local ids = redis.call('ZRANGEBYSCORE', deaths, '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
  local forgotten = 0
  for _, id in ipairs(ids) do
    local json = redis.call('HGET', records, id)
    if not json then redis.call('ZREM', deaths, id) end
    local record, death = nil, nil
    if json then record, death = index(id, json) end -- the record is what counts, not what the index says of it
    if record and death < tonumber(ARGV[2]) then
      forget(id, record)
      forgotten = forgotten + 1
    end
  end
  return { 'pruned', store, #ids, forgotten }
`;

export const indexScripts = {
  keygateReadState: { lua: READ_STATE, numberOfKeys: 3 },
  keygateReadPage: { lua: READ_PAGE, numberOfKeys: 3 },
  keygateIndex: { lua: INDEX, numberOfKeys: KEYS_OF_WRITERS },
  keygateCatchUp: { lua: CATCH_UP, numberOfKeys: KEYS_OF_WRITERS },
  keygatePrune: { lua: PRUNE, numberOfKeys: KEYS_OF_WRITERS },
};

export type IndexedRedis = ScriptedRedis &
  UsageScripts & {
    keygateReadState: Script<
      readonly [storeId: string | null, changes: string, indexed: string | null, isWhole: 0 | 1]
    >;
    keygateReadPage: Script<
      readonly [
        storeId: string | null,
        isComplete: 0 | 1,
        places?: readonly string[],
        records?: readonly (string | null)[],
      ]
    >;
    keygateIndex: Script<WriteReply<'indexed'>>;
    keygateCatchUp: Script<readonly [...WriteReply<'complete' | 'behind' | 'gap'>, at?: number]>;
    keygatePrune: Script<readonly [...WriteReply<'pruned'>, looked?: number, forgotten?: number]>;
  };
