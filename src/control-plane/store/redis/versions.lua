-- TierStore.versions. KEYS 1 to 10. Answers { number, `SHA BYTES TEXT`, … } in no order.

local found, held = {}, call('HGETALL', CONFIG)
for i = 1, #held, 2 do
  if match(held[i], '^%d+$') then
    found[#found + 1] = held[i]
    found[#found + 1] = held[i + 1]
  end
end
return found
