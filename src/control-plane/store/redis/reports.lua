-- TierStore.reports. KEYS 1 to 10. ARGV: checks. Answers for each { member, `VERDICT AT_MS REASON`, … } of living incarnations.

local found = {}
for i, check in ipairs(ARGV) do
  local standing = {}
  for line in (call('HGET', REPORTS, check) or ''):gmatch('[^\n]+') do
    local id, of, text = match(line, '^(%S+) (%S+) (%S+ %d+ .*)$')
    if id and livingRecord(id, of) ~= nil then
      standing[#standing + 1] = id
      standing[#standing + 1] = text
    end
  end
  found[i] = standing
end
return found
