-- The heartbeat of a member to whom nothing is new and who has nothing to say that others would be told: most of what
-- a tier asks of Redis.
-- Put before the prelude of call.lua, whose KEYS and ARGV it has, since even defining the prelude's functions would
-- cost more than this. Whatever is not plainly quiet falls through to the whole call.
-- Answers `TIER_MS STATE META`: one text costs Redis half of what a list does. Once a lease each member asks for the
-- config whatever its epoch (`0` in its place), and nothing else is new to it: { that text, { head or false, rollout or false } }.
if ARGV[8] == '' then
  local call = redis.call
  local held, have = call('HMGET', KEYS[1], ' clock', ' meta', ' wall', ARGV[1]), ARGV[6]
  local metaText = held[2]
  if held[1] and metaText and held[3] and held[4] and have ~= '' then
    local known, asked = metaText:sub(1, #have) == have and #have, false
    if not known and have:sub(-3) == ' 0 ' and metaText:sub(1, #have - 2) == have:sub(1, -3) then
      known, asked = metaText:find(' ', #have - 1, true), true
    end
    local quietUntil, shift, lease = held[1]:match('^(%d+) (%-?%d+) (%d+) ')
    local incarnation, number, digest, state = held[4]:match('^(%S+) (%-?%d+) (%d+) (%l+)$')
    if known and quietUntil and incarnation == ARGV[2] and lease == ARGV[4] and tonumber(number) < tonumber(ARGV[3]) and (ARGV[7] == '' or ARGV[7] == digest)
      and (state ~= 'ready' or metaText:byte(known + 1) == 49) then
      local time = call('TIME')
      local wallMs = time[1] * 1000 + math.floor(time[2] / 1000)
      local step, tier = wallMs - (tonumber(held[3]) or wallMs + 1), wallMs + shift
      if step >= 0 and step * 2 <= tonumber(lease) and wallMs < tonumber(quietUntil) then
        call('HSET', KEYS[1], ' wall', '' .. wallMs, ARGV[1], incarnation .. ' ' .. ARGV[3] .. ' ' .. digest .. ' ' .. state)
        -- A lease that was not there: see spoilt in prelude.lua.
        if call('ZADD', KEYS[2], '' .. tier + lease, ARGV[1]) == 1 then error('GARBAGE in leases') end
        if ARGV[9] ~= '' then call('HSET', KEYS[7], ARGV[1], ARGV[9]:sub(2)) end
        local text = tier .. ' ' .. state .. ' ' .. metaText
        if asked then return { text, call('HMGET', KEYS[10], 'head', 'rollout') } end
        return text
      end
    end
  end
end
