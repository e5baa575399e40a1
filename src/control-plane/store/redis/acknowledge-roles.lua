-- TierStore.acknowledgeRoles. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3… pool, epoch, address of each.
-- Answers 1 if the caller is living, else 0.

tick(nil, ARGV[2])
local lives = present(ARGV[1], ARGV[2]) ~= nil
if lives then
  for i = 3, #ARGV, 3 do acknowledgeRole(ARGV[1], ARGV[2], ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]) end
end
settle()
return lives and 1 or 0
