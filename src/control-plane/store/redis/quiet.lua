-- The heartbeat of a member to whom nothing is new and who has nothing to say that others would be told: most of what
-- a tier asks of Redis.
-- Put before the prelude of call.lua, whose KEYS and ARGV it has, since even defining the prelude's functions would
-- cost more than this. Whatever is not plainly quiet falls through to the whole call.
if ARGV[8] == '' then
  local held = redis.call('HMGET', KEYS[1], ' clock', ' meta', ' watched', ARGV[1])
  local metaText = held[2]
  if held[1] and metaText and not held[3] and held[4] and ARGV[6] ~= '' and metaText:sub(1, #ARGV[6]) == ARGV[6] then
    local wall, tier, hold, check, published, pending, lease = held[1]:match('^(%d+) (%d+) (%d+) (%d+) (%-?%d+) ([01]) (%d+)$')
    local incarnation, number, digest, state = held[4]:match('^(%S+) (%-?%d+) (%d+) (%l+)$')
    if wall and incarnation == ARGV[2] and pending == '0' and tonumber(number) < tonumber(ARGV[3]) and (ARGV[7] == '' or ARGV[7] == digest)
      and (state ~= 'ready' or metaText:byte(#ARGV[6] + 1) == 49) then
      local time = redis.call('TIME')
      local wallMs = time[1] * 1000 + math.floor(time[2] / 1000)
      local step, leaseMs = wallMs - wall, tonumber(ARGV[4])
      tier, check = tier + step, tonumber(check)
      if step >= 0 and step * 2 <= leaseMs and (tier < check or tier < tonumber(hold)) then
        if tier + leaseMs < check then check = tier + leaseMs end
        redis.call('HSET', KEYS[1], ' clock', string.format('%.0f %.0f %s %.0f %s 0 %.0f', wallMs, tier, hold, check, published, leaseMs),
          ARGV[1], incarnation .. ' ' .. ARGV[3] .. ' ' .. digest .. ' ' .. state)
        -- A lease that was not there: see spoilt in prelude.lua.
        if redis.call('ZADD', KEYS[2], string.format('%.0f', tier + leaseMs), ARGV[1]) == 1 then error('GARBAGE in leases') end
        if ARGV[9] ~= '' then redis.call('HSET', KEYS[7], ARGV[1], ARGV[9]:sub(2)) end
        return { metaText, tier, state }
      end
    end
  end
end
