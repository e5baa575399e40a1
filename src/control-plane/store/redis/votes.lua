-- TierStore.votes. KEYS 1 to 12. ARGV: 1 number. Answers { member, text, … } of living incarnations.

if call('HGET', CONFIG, 'voted') ~= ARGV[1] then return {} end
local found, held = {}, call('HGETALL', VOTES)
for i = 1, #held, 2 do
  local incarnation, text = match(held[i + 1], '^(%S+) (.*)$')
  if incarnation ~= nil and livingRecord(held[i], incarnation) ~= nil then
    found[#found + 1] = held[i]
    found[#found + 1] = text
  end
end
return found
