-- TierStore.raiseProtocol. KEYS 1 to 10. ARGV: 1 member  2 incarnation  3 protocol  4 membersEpoch. Answers 1 if the caller leads and the members are those it has read, else 0.

tick(nil, ARGV[2])
local may = leads(ARGV[1], ARGV[2]) and meta.m == tonumber(ARGV[4])
if may then meta.protocol = math.max(meta.protocol, tonumber(ARGV[3])) end
settle()
return may and 1 or 0
