-- The ledger's position, if the epoch still is ours; otherwise no row, and the group is rolled back.
update whimbrel.ledger
set applied = $1, marker = coalesce($3, marker)
where epoch = $2 and phase = 'stream'
