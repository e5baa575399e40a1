-- TierStore.restore. KEYS 1 to 12.
-- ARGV: 1 member  2 incarnation  3 history  4 number  5 sha  6 headText  7 version  8 bytes  9 VERSIONS_MAX  10 VERSION_BYTES_MAX
--   11 RETURNED_LEASES if it begins a history, else 0
-- Answers `restored`, `kept` or `not-living`.

local number = tonumber(ARGV[4])

local function restore()
  if present(ARGV[1], ARGV[2]) == nil then return 'not-living' end
  local head, rollout = readHead(), readRollout()
  local returned = tonumber(call('HGET', STATE, ' returned') or '')
  if head == nil and returned ~= nil and clock.tier < returned + clock.lease * tonumber(ARGV[11]) then return 'kept' end
  if head ~= nil and (head.history ~= ARGV[3] or head.number >= number) then return 'kept' end
  keepVersion(number, ARGV[5], ARGV[7], ARGV[8])
  local used = tonumber(call('HGET', CONFIG, 'used') or 0) or 0
  call('HSET', CONFIG, 'used', int(math.max(used, number)), 'head', table.concat({ ARGV[3], int(number), ARGV[5], ARGV[6] }, ' '))
  if rollout ~= nil and rollout.number <= number then call('HDEL', CONFIG, 'rollout') end
  if readRollout() == nil then startVotes(number) end
  dropVersions(ARGV[9], ARGV[10])
  configChanged(number, 'restored', ARGV[1])
  return 'restored'
end

tick(nil, ARGV[2])
local answer = restore()
settle()
return answer
