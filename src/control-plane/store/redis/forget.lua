-- TierStore.forget. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3… checks. Answers 1 if the caller leads, else 0.

local function forget(check)
  for line in (call('HGET', REPORTS, check) or ''):gmatch('[^\n]+') do
    local id, of, verdict = match(line, '^(%S+) (%S+) (%S+) ')
    local record = id and livingRecord(id, of)
    if record then
      record.digest = (record.digest - entryHash(check, verdict)) % 4294967296
      writeRecord(id, record)
    end
  end
  call('HDEL', REPORTS, check)
  if put('v', check, false) then clock.pending = '1' end
end

tick(nil, ARGV[2])
local may = leads(ARGV[1], ARGV[2])
if may then
  for i = 3, #ARGV do forget(ARGV[i]) end
  publishHints()
end
settle()
return may and 1 or 0
