-- Run without the prelude, after an operation ended with WRONGTYPE or GARBAGE (prelude.lua). KEYS 1 to 13.
-- What is of another type is dropped, and the run with it: members join anew and report anew. The config stays if it is whole.
-- Answers the names of what was of a wrong type.

local TYPES = { 'hash', 'zset', 'hash', 'zset', 'zset', 'hash', 'hash', 'zset', 'list', 'hash', 'hash', 'hash', 'zset' }
local RUN_KEYS = 9

local wrong = {}
for i, expected in ipairs(TYPES) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= expected then
    wrong[#wrong + 1] = KEYS[i]
    redis.call('UNLINK', KEYS[i])
  end
end
for i = 1, RUN_KEYS do redis.call('UNLINK', KEYS[i]) end
return wrong
