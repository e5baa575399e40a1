-- TierStore.stepOut. KEYS 1 to 10. ARGV: 1 member  2 incarnation. Answers 1 if it may be `failed` and is now, else 0.

tick(nil, ARGV[2])
local record = present(ARGV[1], ARGV[2])
local granted = 0
if record ~= nil then
  local isCounted = record.state == 'ready' or record.state == 'failed'
  local readyWithout = meta.ready - (record.state == 'ready' and 1 or 0)
  if readyWithout >= math.ceil((meta.ready + meta.failed + (isCounted and 0 or 1)) / 2) then
    setState(ARGV[1], record, 'failed')
    writeRecord(ARGV[1], record)
    granted = 1
  end
end
settle()
return granted
