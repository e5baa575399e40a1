-- TierStore.takeTokens. KEYS 1 to 13. ARGV: 1 member  2 incarnation  3… key, tokens, perSecond, burst of each ask.
-- Answers the tokens granted, in the order asked.
--
-- A bucket is one number: the tier time at which it is full again. What is full already is no bucket at all, so that
-- buckets not seen for long go by themselves.

local granted = {}
for i = 3, #ARGV, 4 do granted[#granted + 1] = 0 end
tick(nil, ARGV[2])
if present(ARGV[1], ARGV[2]) == nil then
  settle()
  return granted
end

local full = call('ZRANGEBYSCORE', LIMITS, '-inf', int(clock.tier), 'LIMIT', 0, 1000)
if #full > 0 then call('ZREM', LIMITS, unpack(full)) end

for i = 3, #ARGV, 4 do
  local key, tokens, perMs, burst = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]) / 1000, tonumber(ARGV[i + 3])
  local fullAt = math.max(clock.tier, tonumber(call('ZSCORE', LIMITS, key) or 0))
  local held = math.max(0, burst - (fullAt - clock.tier) * perMs)
  -- A billionth of a token is what doubles lose, not what somebody is owed.
  local grant = perMs > 0 and math.max(0, floor(math.min(tokens, held + 1e-9))) or 0
  if grant > 0 then call('ZADD', LIMITS, format('%.17g', math.min(fullAt, clock.tier + burst / perMs) + grant / perMs), key) end
  granted[(i + 1) / 4] = grant
end
settle()
return granted
