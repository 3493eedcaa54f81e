-- The ledger's position, if the epoch still is ours; otherwise no row, and the group is rolled back.
update whimbrel.ledger
set applied = $1, marker = coalesce($3, marker), last_commit = $4, last_commit_time = $5, last_commit_of = $1
where epoch = $2 and phase = 'stream'
