import { MAX_SOURCES, SOURCES_KEPT_MS } from '../usage-port.ts';
import { KEYS_OF_WRITERS, WRITER } from './scripts.ts';
import type { Script, WriteReply } from './scripts.ts';

/** ARGV: expected store id; for each key that was used its id and its use, as text. Reply: outcome, store id. */
const USE = `${WRITER}
  local store = store_id(ARGV[1])
  if not store then return { false } end

  -- What is no usage counts as none: one such text must not keep the use of all the other keys from being written.
  local function words_of(text)
    local words = {}
    for word in string.gmatch(text or '', '%S+') do words[#words + 1] = word end
    local is_usage = #words >= 3
    for i = 1, #words do
      local is_address = i > 3 and i % 2 == 0
      if not is_address and not tonumber(words[i]) then is_usage = false end
    end
    return is_usage and words or { '0', '0', '0' }
  end

  local function add(a, b)
    local last = math.max(tonumber(a[1]), tonumber(b[1]))
    local seen, sources = {}, {}
    for _, words in ipairs({ a, b }) do
      for i = 4, #words - 1, 2 do
        local at = tonumber(words[i + 1])
        if at >= last - ${SOURCES_KEPT_MS} and at > (seen[words[i]] or 0) then seen[words[i]] = at end
      end
    end
    for address, at in pairs(seen) do sources[#sources + 1] = { address, at } end
    table.sort(sources, function(x, y) return x[2] > y[2] or (x[2] == y[2] and x[1] < y[1]) end)
    local sum = { string.format('%.0f %.0f %.0f', last, a[2] + b[2], a[3] + b[3]) }
    for i = 1, math.min(#sources, ${MAX_SOURCES}) do
      sum[i + 1] = string.format('%s %.0f', sources[i][1], sources[i][2])
    end
    return table.concat(sum, ' ')
  end

  for i = 2, #ARGV, 2 do
    if redis.call('HEXISTS', records, ARGV[i]) == 1 then
      local known = words_of(redis.call('HGET', usage, ARGV[i]))
      redis.call('HSET', usage, ARGV[i], add(known, words_of(ARGV[i + 1])))
    end
  end
  return { 'added', store }
`;

export const usageScripts = {
  keygateUse: { lua: USE, numberOfKeys: KEYS_OF_WRITERS },
};

export interface UsageScripts {
  keygateUse: Script<WriteReply<'added'>>;
}
