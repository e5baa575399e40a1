-- TierStore.moveRole. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3 pool  4 expectedEpoch  5 address ('': the record goes).
-- Answers `done`, `not-leader` or `changed`.

local function move()
  if not leads(ARGV[1], ARGV[2]) then return 'not-leader' end
  local record = readRole(ARGV[3])
  local former = record and record.epoch or 0
  if former ~= tonumber(ARGV[4]) then return 'changed' end
  if ARGV[5] == '' then removeRole(ARGV[3], former, ARGV[1]) else withdrawRole(ARGV[3], former, ARGV[5], ARGV[1]) end
  return 'done'
end

tick(nil, ARGV[2])
local answer = move()
settle()
return answer
