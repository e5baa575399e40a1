-- TierStore.putTickets. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3 sha1 of the text it follows ('': none)
--   4 '' (no text any more) or `+` and the text.
-- The text is the entry `tickets` of the table of verdicts. Answers `done`, `not-leader` or `changed`.

local function putTickets()
  if not leads(ARGV[1], ARGV[2]) then return 'not-leader' end
  local former = entryText('vtickets')
  if (former and redis.sha1hex(former) or '') ~= ARGV[3] then return 'changed' end
  if put('v', 'tickets', ARGV[4] ~= '' and ARGV[4]:sub(2)) then
    clock.pending = '1'
    publishHints()
  end
  return 'done'
end

tick(nil, ARGV[2])
local answer = putTickets()
settle()
return answer
