-- A list reads its page, however many migrations are past: one index for each way of asking.
drop index migration_active;
create index migration_active on migration (created_at, uid) where over = 0;
create index migration_by_target on migration (target_id, created_at, uid);
create index migration_active_by_target on migration (target_id, created_at, uid) where over = 0;
