-- TierStore.log. KEYS 1 to 10. ARGV: 1 after  2 limit. Answers { id of the first, text, … }.

if not look() then return { 0 } end
local first = meta.logId - call('LLEN', LOG) + 1
local from = math.max(0, tonumber(ARGV[1]) + 1 - first)
local found = call('LRANGE', LOG, int(from), int(from + tonumber(ARGV[2]) - 1))
table.insert(found, 1, first + from)
return found
