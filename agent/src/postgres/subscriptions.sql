-- The subscriptions of this database, and the statements by which another server takes each over: it must go on with the same
-- slot, from where this server was in it. A subscription with a slot of its own would begin at the moment when it is made, and
-- miss what the publisher wrote since this one ended. '...' stands for the connection string, which can hold a password and is
-- not read, and for the position.
select s.subname as name, s.subenabled as enabled, array_to_string(s.subpublications, ', ') as publications,
       format('create subscription %I connection ''...'' publication %s with (%s)', s.subname,
              (select string_agg(quote_ident(p), ', ') from unnest(s.subpublications) p), o.options)
       || case when s.subslotname is null then ''
               else format('; select pg_replication_origin_advance(''pg_'' || oid, ''...'') from pg_subscription where subname = %L; '
                           'alter subscription %1$I enable', s.subname) end as anew,
       case when s.subslotname is not null then
           format('select remote_lsn from pg_subscription s join pg_replication_origin_status on external_id = ''pg_'' || s.oid '
                  'where subname = %L and not exists (select from pg_stat_subscription where subid = s.oid and pid is not null)',
                  s.subname) end as position -- once its worker has ended
from pg_subscription s -- since 10
from (select null::name as subname, false as subenabled, null::name as subslotname, null::name[] as subpublications, 0::oid as subdbid) s -- before 10
cross join lateral (
    select concat_ws(', ', 'enabled = false', 'create_slot = false',
                     case when s.subslotname is null then 'connect = false, slot_name = none'
                          else format('copy_data = false, slot_name = %L', s.subslotname) end
                   , case when s.subbinary then 'binary = true' end -- since 14
                   , case when s.substream then 'streaming = on' else 'streaming = off' end -- since 14 before 16
                   , case s.substream when 'f' then 'streaming = off' when 't' then 'streaming = on' else 'streaming = parallel' end -- since 16
                   , case when s.subsynccommit <> 'off' then format('synchronous_commit = %L', s.subsynccommit) end -- since 14
                   , case when s.subtwophasestate <> 'd' then 'two_phase = true' end -- since 15
                   , case when s.subdisableonerr then 'disable_on_error = true' end -- since 15
                   , case when s.suborigin <> 'any' then format('origin = %L', s.suborigin) end -- since 16
                   , case when s.subrunasowner then 'run_as_owner = true' end -- since 16
                   , case when not s.subpasswordrequired then 'password_required = false' end -- since 16
                   , case when s.subfailover then 'failover = true' end -- since 17
                    ) as options) o
where s.subdbid = (select oid from pg_database where datname = current_database())
order by 1
