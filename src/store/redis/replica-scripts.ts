import {
  CHANGES_LOOKED_AT,
  FORGET_QUESTION_AFTER_S,
  FORGET_REPLICA_AFTER_S,
  MAX_ANSWERS,
  MAX_QUESTIONS,
} from '../replica-port.ts';

/** Microseconds by Redis's own clock, as text: more digits than Lua prints of a number. */
export const STORE_TIME = `
  local function store_time()
    local time = redis.call('TIME')
    return string.format('%s%06d', time[1], time[2])
  end
`;

/**
 * KEYS: replicas. ARGV: replica id, when it had applied what it says or '' for now, the rest as JSON. Reply: now.
 * A replica that is new strikes off those that have not been heard of for long.
 */
const ACKNOWLEDGE = `${STORE_TIME}
  local now = store_time()
  local applied_at = ARGV[2] ~= '' and ARGV[2] or now
  local is_new = redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. applied_at .. ' ' .. ARGV[3]) == 1
  redis.call('EXPIRE', KEYS[1], ${FORGET_REPLICA_AFTER_S})
  if is_new then
    local oldest = tonumber(now) - ${FORGET_REPLICA_AFTER_S} * 1000000
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      local seen = tonumber(string.match(all[i + 1], '^%d+'))
      if not seen or seen < oldest then redis.call('HDEL', KEYS[1], all[i]) end
    end
  end
  return now
`;

/** KEYS: digests, replicas. ARGV: the fields of the store's id and of its last change. Reply: now, both, all replicas. */
const ROLL = `${STORE_TIME}
  local fields = redis.call('HMGET', KEYS[1], ARGV[1], ARGV[2])
  return { store_time(), fields[1], fields[2], redis.call('HGETALL', KEYS[2]) }
`;

/** KEYS: changes. ARGV: digest. Reply: number and time of its last change, or nothing. */
const CHANGE_OF = `
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ${CHANGES_LOOKED_AT})) do
    local fields = entry[2]
    if fields[2] == ARGV[1] then return { entry[1], fields[4] } end
  end
  return {}
`;

/** KEYS: questions. ARGV: the question. Reply: its id. */
const ASK = `
  local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${MAX_QUESTIONS}, '*', 'question', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ${FORGET_QUESTION_AFTER_S})
  return id
`;

/** KEYS: the answers to one question. ARGV: replica id, answer. */
const ANSWER = `
  if redis.call('HLEN', KEYS[1]) >= ${MAX_ANSWERS} then return end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('EXPIRE', KEYS[1], ${FORGET_QUESTION_AFTER_S})
`;

export const replicaScripts = {
  keygateAcknowledge: { lua: ACKNOWLEDGE, numberOfKeys: 1 },
  keygateRoll: { lua: ROLL, numberOfKeys: 2 },
  keygateChangeOf: { lua: CHANGE_OF, numberOfKeys: 1 },
  keygateAsk: { lua: ASK, numberOfKeys: 1 },
  keygateAnswer: { lua: ANSWER, numberOfKeys: 1 },
};

type Script<Reply> = (...keysAndArguments: string[]) => Promise<Reply>;

/** As in scripts.ts: ioredis makes a method of each. */
export interface ReplicaScripts {
  keygateAcknowledge: Script<string>;
  keygateRoll: Script<readonly [now: string, store: string | null, changes: string | null, replicas: string[]]>;
  keygateChangeOf: Script<readonly [id?: string, madeAt?: string | null]>;
  keygateAsk: Script<string>;
  keygateAnswer: Script<null>;
}
