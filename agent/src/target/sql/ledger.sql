-- The ledger (DESIGN.md, law 1): what of the source is in this database, committed with the rows it speaks of.
create schema whimbrel;

-- One row. Every transaction of ours that writes to this database proves `epoch` by it.
create table whimbrel.ledger (
    one boolean primary key default true check (one),
    format integer not null,
    migration uuid not null,
    direction text not null default 'forward',
    epoch bigint not null,
    -- The life of the agent process that installed it. One epoch is one life's: a controller whose memory was set back
    -- gives a number out twice.
    holder uuid not null,
    -- copy: rows are being copied. stream: changes are applied. live: switched, the application's.
    phase text not null check (phase in ('copy', 'stream', 'live')),
    -- Which server the positions are of (IDENTIFY_SYSTEM); null before the first snapshot.
    source_system numeric,
    -- The timeline that the positions are of.
    timeline integer,
    -- The slot's consistent point; null before the first snapshot, in an offline migration, and while a lost slot's
    -- successor is not there.
    slot_point pg_lsn,
    -- End of the last commit of the source that is applied here.
    applied pg_lsn,
    -- The last commit that is applied: where it ends, and its time there (microseconds since 2000); and of which `applied` it is
    -- the last one. An older agent moves that alone.
    last_commit pg_lsn,
    last_commit_time bigint,
    last_commit_of pg_lsn,
    -- The cutover attempt whose marker 2 ends at `applied`, when it does.
    marker integer,
    -- The last request to copy tables again that was taken up.
    copied_again integer not null default 0
) with (fillfactor = 10);

-- What the source looked like when its schema was dumped: documents in pieces, since a value is at most 1 GB.
create table whimbrel.document (
    kind text not null
        check (kind in ('catalog', 'shape', 'rights', 'dump', 'settings', 'changed', 'carried', 'dropped')),
    piece integer not null,
    body bytea not null,
    primary key (kind, piece)
);

-- The newest known form of each object of the source (verify/structure.sql): what a change of its schema is compared with.
create table whimbrel.structure (
    class oid not null,
    oid oid not null,
    document jsonb not null,
    -- Where the last transaction commits that has changed it in the stream: a form that was told before is an older one.
    changed pg_lsn,
    -- Which one that was: a form that was read by a snapshot which has not seen it is an older one, too.
    changed_by int8,
    primary key (class, oid)
);

-- Entries of later dumps that were made before the cutover, since what the stream carries needed them.
create table whimbrel.made (
    class oid not null,
    oid oid not null,
    kind text not null,
    tag text not null,
    sql text not null,
    primary key (class, oid)
);

-- Tables to copy; `point`: the consistent point of the snapshot that its rows are of, null while the
-- stream runs: to be copied again.
create table whimbrel.relation (
    source_oid oid primary key,
    point pg_lsn,
    -- Its file on the source (pg_class.relfilenode) under that snapshot: another one has its rows elsewhere.
    file oid,
    copied boolean not null default false,
    done boolean not null default false,
    -- What is here of it is not to be built on: it is emptied, and copied from its start.
    anew boolean not null default false,
    -- Its rows were here: compared before they are copied again.
    stale boolean not null default false,
    -- Why its changes are dropped; null: they are applied.
    held text,
    -- A transaction that was begun before tells values of its types by what those were then.
    retyped pg_lsn,
    rows bigint not null default 0,
    bytes bigint not null default 0
);

-- Parts of tables that are here: pages `page_from` to `page_to` (not with it; null: to the end). All of one table are of
-- the table's point.
create table whimbrel.part (
    source_oid oid not null references whimbrel.relation,
    page_from bigint not null,
    page_to bigint,
    rows bigint not null,
    bytes bigint not null,
    primary key (source_oid, page_from)
);

-- Keys of rows that changed between two snapshots, in tables that are half copied; null: by keys it can't be told. Filled
-- and used up while a copy goes on under another snapshot.
create unlogged table whimbrel.changed (
    source_oid oid not null,
    key text[]
);

-- Entries of the dump (keys, indexes and the like) that were made.
create table whimbrel.entry (
    dump_id integer primary key
);
