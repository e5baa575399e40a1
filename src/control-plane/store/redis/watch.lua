-- TierStore.watch. KEYS 1 to 10. ARGV: 1 pool  2 forMs. Of too many the one that would have ended first makes room: the last who looked is served.

local WATCHED_MAX = 20

tick(nil, ARGV[1])
local untils = { [ARGV[1]] = clock.tier + tonumber(ARGV[2]) }
for untilMs, pool in (call('HGET', STATE, ' watched') or ''):gmatch('(%d+) ([^\n]+)') do
  if tonumber(untilMs) > clock.tier then untils[pool] = math.max(untils[pool] or 0, tonumber(untilMs)) end
end
local pools = {}
for pool in pairs(untils) do if pool ~= ARGV[1] then pools[#pools + 1] = pool end end
table.sort(pools, function(a, b) return untils[a] > untils[b] end)
local lines = { int(untils[ARGV[1]]) .. ' ' .. ARGV[1] }
for i = 1, math.min(#pools, WATCHED_MAX - 1) do lines[i + 1] = int(untils[pools[i]]) .. ' ' .. pools[i] end
call('HSET', STATE, ' watched', table.concat(lines, '\n'))
clock.watched = math.max(untils[ARGV[1]], pools[1] and untils[pools[1]] or 0)
settle()
return 1
