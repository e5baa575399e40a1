-- TierStore.admitRole. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3 pool  4 expectedEpoch.
-- Answers { kind, … }: done | not-leader | changed | waits MEMBER ….

local function admit()
  if not leads(ARGV[1], ARGV[2]) then return { 'not-leader' } end
  local record = readRole(ARGV[3])
  if record == nil or record.epoch ~= tonumber(ARGV[4]) or record.phase ~= 'withdrawing' then return { 'changed' } end
  expire()
  local missing = missingAcks(ARGV[3], record.epoch)
  local expired = tonumber(call('HGET', STATE, ' expired') or '')
  if #missing > 0 or (expired and clock.tier < expired + floor(clock.lease / 2)) then
    local answer = { 'waits' }
    for i = 1, math.min(#missing, WAITED_FOR_MAX) do answer[i + 1] = missing[i] end
    return answer
  end
  writeRole(ARGV[3], 'admitted', record.epoch, record.address, ARGV[1])
  return { 'done' }
end

tick(nil, ARGV[2])
local answer = admit()
settle()
return answer
