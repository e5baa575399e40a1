-- TierStore.raiseProtocol. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3 protocol. Answers 1 if the caller leads, else 0.

tick(nil, ARGV[2])
local may = leads(ARGV[1], ARGV[2])
if may then meta.protocol = math.max(meta.protocol, tonumber(ARGV[3])) end
settle()
return may and 1 or 0
