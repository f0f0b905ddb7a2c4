import type { Redis } from 'ioredis';
import { MAX_AUDIT_ENTRIES } from '../record-json.ts';
import { replicaScripts, STORE_TIME } from './replica-scripts.ts';
import type { ReplicaScripts } from './replica-scripts.ts';

/**
 * How keys lie in Redis, and the scripts that read and change them. A script is one step for all other clients, so a
 * record, its indexes and the change feed never disagree. All names share one hash tag, as Redis Cluster asks of a script.
 *
 *   {p}:digests   hash: digest -> id;  `store` -> the store's id;  `changes` -> the number of the last change;
 *                 `indexed` -> the last change that `order` and `deaths` know of, see index-scripts.ts
 *   {p}:records   hash: id -> record as JSON;  `store` -> the store's id
 *   {p}:names     hash: kind:name -> id of the key that holds the name
 *   {p}:changes   stream: entry n-0 is the change number n, with the digest of the key and the time in microseconds
 *   {p}:audit     stream: who changed what, in the order of the changes; `key` the id, `entry` the entry as JSON
 *   {p}:replicas  hash: id of a gateway -> when it was seen, when it had applied the last change, and the rest as JSON
 *   {p}:questions stream: what somebody asks of all gateways; {p}:answers:<id of the question> a hash with their answers
 *   {p}:order     sorted set: kind:name NUL id, all with the score 0, so in the order of the bytes
 *   {p}:deaths    sorted set: id -> when the key died or will die
 *   {p}:usage     hash: id -> when the key was last used, how much, and from where
 *
 * Both hashes carry the store's id, a random text written with the first key. A hash that was flushed or evicted, or that
 * belongs to somebody else, lacks it, and so never reads as "no such key".
 */
export interface KeyNames {
  readonly digests: string;
  readonly records: string;
  readonly names: string;
  readonly changes: string;
  readonly audit: string;
  readonly replicas: string;
  readonly questions: string;
  readonly order: string;
  readonly deaths: string;
  readonly usage: string;
}

export function keyNames(prefix: string): KeyNames {
  const named = (what: string) => `{${prefix}}:${what}`;
  return {
    digests: named('digests'),
    records: named('records'),
    names: named('names'),
    changes: named('changes'),
    audit: named('audit'),
    replicas: named('replicas'),
    questions: named('questions'),
    order: named('order'),
    deaths: named('deaths'),
    usage: named('usage'),
  };
}

export function answersName({ questions }: KeyNames, questionId: string): string {
  return `${questions.replace(/questions$/, 'answers')}:${questionId}`;
}

/** In the order in which the scripts that write name them. */
export function keysOfWriters(keys: KeyNames): string[] {
  const { digests, records, names, changes, audit, order, deaths, usage } = keys;
  return [digests, records, names, changes, audit, order, deaths, usage];
}

export const KEYS_OF_WRITERS = 8;

export const STORE_FIELD = 'store';
export const CHANGES_FIELD = 'changes';
export const INDEXED_FIELD = 'indexed';
/** How many changes are kept for readers that lag, at least; who lags further has a gap. */
const MAX_CHANGES = 10_000;

/**
 * KEYS: digests, records. ARGV: the digests to try, in order. Reply: store id, number of the last change, key id, record.
 */
const FIND = `
  local store, changes = unpack(redis.call('HMGET', KEYS[1], '${STORE_FIELD}', '${CHANGES_FIELD}'))
  for _, digest in ipairs(ARGV) do
    local id = redis.call('HGET', KEYS[1], digest)
    if id then return { store, changes, id, redis.call('HGET', KEYS[2], id) } end
  end
  return { store, changes, false, false }
`;

/** What the scripts that write begin with. KEYS: digests, records, names, changes, audit, order, deaths, usage. */
export const WRITER = `${STORE_TIME}
  local digests, records, names, changes, audit, order, deaths, usage = unpack(KEYS)

  -- The id of the store; false if there is none, or if it is not the one expected ('' expects nothing).
  local function store_id(expected)
    local store = redis.call('HGET', digests, '${STORE_FIELD}')
    if store ~= redis.call('HGET', records, '${STORE_FIELD}') then return false end
    if expected ~= '' and store ~= expected then return false end
    return store
  end

  local function read_record(id)
    local json = redis.call('HGET', records, id)
    if not json then return nil end
    local ok, record = pcall(cjson.decode, json)
    if ok and type(record) == 'table' then return record end
    return 'unreadable'
  end

  -- The first write of each script: if the stream refuses the entry, nothing has been changed.
  local function announce(digest)
    local number = redis.call('HINCRBY', digests, '${CHANGES_FIELD}', 1)
    local id = string.format('%d-0', number)
    redis.call('XADD', changes, 'MAXLEN', '~', ${MAX_CHANGES}, id, 'digest', digest, 'at', store_time())
    -- Who writes this keeps the indexes, too. A writer of an earlier version leaves the field behind, which shows.
    if redis.call('HGET', digests, '${INDEXED_FIELD}') == string.format('%d', number - 1) then
      redis.call('HSET', digests, '${INDEXED_FIELD}', string.format('%d', number))
    end
  end

  local function time(value)
    return type(value) == 'number' and value or math.huge
  end

  local function is_record(value)
    return type(value) == 'table' and type(value.kind) == 'string' and type(value.name) == 'string'
      and type(value.digest) == 'string'
  end

  local function place_of(record, id)
    return record.kind .. ':' .. record.name .. '\\0' .. id
  end

  -- Puts a record where pages and prune look for it. Returns it and the time of its death; nil if it cannot be read.
  local function index(id, json)
    local ok, record = pcall(cjson.decode, json)
    if not ok or not is_record(record) then
      redis.call('ZADD', order, 0, '?\\0' .. id) -- only so that it counts
      redis.call('ZREM', deaths, id)
      return nil
    end
    redis.call('ZADD', order, 0, place_of(record, id))
    local death = math.min(time(record.revokedAt), time(record.expiresAt), time(record.retireAt))
    if death < math.huge then
      redis.call('ZADD', deaths, string.format('%.0f', death), id)
    else
      redis.call('ZREM', deaths, id)
    end
    return record, death
  end

  -- Not announced: the key is refused before and after.
  local function forget(id, record)
    local name = record.kind .. ':' .. record.name
    redis.call('HDEL', records, id)
    if redis.call('HGET', digests, record.digest) == id then redis.call('HDEL', digests, record.digest) end
    if redis.call('HGET', names, name) == id then redis.call('HDEL', names, name) end
    redis.call('ZREM', order, place_of(record, id))
    redis.call('ZREM', deaths, id)
    redis.call('HDEL', usage, id)
  end

  local function note(id, entry)
    if entry == '' then return end
    redis.call('XADD', audit, 'MAXLEN', '~', ${MAX_AUDIT_ENTRIES}, '*', 'key', id, 'entry', entry)
  end
`;

/**
 * ARGV: expected store id, id for a new store, key id, digest, kind:name or '' for a record without a claim to its name,
 * record, now, audit entry, 'dry' to change nothing.
 * Reply: outcome, store id. The first key makes the store, but only where none was expected and nothing is left of one.
 */
const INSERT = `${WRITER}
  local store = store_id(ARGV[1])
  local is_empty = redis.call('EXISTS', digests, records) == 0
  if not store and not (is_empty and ARGV[1] == '') then return { false } end

  local holder = store and ARGV[5] ~= '' and redis.call('HGET', names, ARGV[5])
  local held_by = holder and read_record(holder)
  if held_by then
    -- A record that cannot be read keeps its name: whether it lives cannot be told.
    local is_dead = held_by ~= 'unreadable'
      and (held_by.state == 'revoked' or (held_by.expiresAt and held_by.expiresAt <= tonumber(ARGV[7])))
    if not is_dead then return { 'name_taken', store } end
  end
  if redis.call('HEXISTS', records, ARGV[3]) == 1 or redis.call('HEXISTS', digests, ARGV[4]) == 1 then
    return { 'exists', store }
  end
  if ARGV[9] == 'dry' then return { 'inserted', store } end

  if not store then
    store = ARGV[2]
    redis.call('DEL', names, changes, order, deaths, usage)
    redis.call('HSET', digests, '${STORE_FIELD}', store, '${INDEXED_FIELD}', 0)
    redis.call('HSET', records, '${STORE_FIELD}', store)
  end
  announce(ARGV[4])
  note(ARGV[3], ARGV[8])
  redis.call('HSET', records, ARGV[3], ARGV[6])
  redis.call('HSET', digests, ARGV[4], ARGV[3])
  if ARGV[5] ~= '' then redis.call('HSET', names, ARGV[5], ARGV[3]) end
  index(ARGV[3], ARGV[6])
  return { 'inserted', store }
`;

/**
 * ARGV: expected store id, key id, digest, kind:name, record, the revision it replaces, audit entry, what becomes of the
 * name: 'held', 'freed', or 'given' to a successor before.
 * Reply: outcome, store id.
 */
const REPLACE = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  local stored = read_record(ARGV[2])
  if not stored then return { 'absent', store } end
  if stored == 'unreadable' or stored.revision ~= tonumber(ARGV[6]) then return { 'conflict', store } end
  local holder = redis.call('HGET', names, ARGV[4])
  if ARGV[8] == 'held' and holder and holder ~= ARGV[2] then return { 'conflict', store } end
  announce(ARGV[3])
  note(ARGV[2], ARGV[7])
  redis.call('HSET', records, ARGV[2], ARGV[5])
  index(ARGV[2], ARGV[5])
  if ARGV[8] == 'freed' and holder == ARGV[2] then redis.call('HDEL', names, ARGV[4]) end
  return { 'replaced', store }
`;

/**
 * ARGV: expected store id; of the predecessor: key id, digest, record, the revision it replaces; of the successor: key id,
 * digest, record; kind:name of both; the audit entry of the one, and of the other. Reply: outcome, store id.
 */
const SUCCEED = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  local stored = read_record(ARGV[2])
  if not stored then return { 'absent', store } end
  local is_unchanged = stored ~= 'unreadable' and stored.revision == tonumber(ARGV[5])
  if not is_unchanged or redis.call('HGET', names, ARGV[9]) ~= ARGV[2] then return { 'conflict', store } end
  if redis.call('HEXISTS', records, ARGV[6]) == 1 or redis.call('HEXISTS', digests, ARGV[7]) == 1 then
    return { 'exists', store }
  end
  announce(ARGV[3])
  announce(ARGV[7])
  note(ARGV[2], ARGV[10])
  note(ARGV[6], ARGV[11])
  redis.call('HSET', records, ARGV[2], ARGV[4], ARGV[6], ARGV[8])
  redis.call('HSET', digests, ARGV[7], ARGV[6])
  redis.call('HSET', names, ARGV[9], ARGV[6])
  index(ARGV[2], ARGV[4])
  index(ARGV[6], ARGV[8])
  return { 'succeeded', store }
`;

/** ARGV: expected store id, key id, revision. Reply: outcome, store id. */
const FORGET = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  local stored = read_record(ARGV[2])
  if not stored then return { 'absent', store } end
  if not is_record(stored) or stored.revision ~= tonumber(ARGV[3]) then return { 'conflict', store } end
  forget(ARGV[2], stored)
  return { 'forgotten', store }
`;

/** ARGV: expected store id, key id, audit entry. Reply: outcome, store id. */
const NOTE = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end
  note(ARGV[2], ARGV[3])
  return { 'noted', store }
`;

export const scripts = {
  ...replicaScripts,
  keygateFind: { lua: FIND, numberOfKeys: 2 },
  keygateInsert: { lua: INSERT, numberOfKeys: KEYS_OF_WRITERS },
  keygateReplace: { lua: REPLACE, numberOfKeys: KEYS_OF_WRITERS },
  keygateSucceed: { lua: SUCCEED, numberOfKeys: KEYS_OF_WRITERS },
  keygateForget: { lua: FORGET, numberOfKeys: KEYS_OF_WRITERS },
  keygateNote: { lua: NOTE, numberOfKeys: KEYS_OF_WRITERS },
};

/** The outcome is null if the script found another store than the one expected, or none, and did nothing. */
export type WriteReply<Outcome> = readonly [outcome: Outcome | null, storeId?: string | undefined];

export type Script<Reply> = (...keysAndArguments: (string | number)[]) => Promise<Reply>;

/** ioredis makes a method of each script, which its types cannot know. */
export type ScriptedRedis = Redis &
  ReplicaScripts & {
    keygateFind: Script<
      readonly [storeId: string | null, changes: string | null, id: string | null, record: string | null]
    >;
    keygateInsert: Script<WriteReply<'inserted' | 'name_taken' | 'exists'>>;
    keygateReplace: Script<WriteReply<'replaced' | 'conflict' | 'absent'>>;
    keygateSucceed: Script<WriteReply<'succeeded' | 'conflict' | 'absent' | 'exists'>>;
    keygateForget: Script<WriteReply<'forgotten' | 'conflict' | 'absent'>>;
    keygateNote: Script<WriteReply<'noted'>>;
  };
