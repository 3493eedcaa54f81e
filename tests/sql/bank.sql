create schema bank;

create table bank.accounts (
    id bigint primary key,
    balance bigint not null,
    owner text not null,
    changed timestamptz not null default clock_timestamp()
);

create table bank.transfers (
    id bigint generated always as identity primary key,
    payer bigint not null references bank.accounts,
    payee bigint not null references bank.accounts,
    amount bigint not null check (amount > 0),
    at timestamptz not null default clock_timestamp()
);
create index transfers_payer on bank.transfers (payer);

-- Entry n of a writer is its n-th transaction: a gap is a lost transaction, a duplicate key a doubled one.
create table bank.ledger (
    writer integer,
    entry bigint,
    transfer bigint not null references bank.transfers,
    note text not null,
    primary key (writer, entry)
);

-- Rows that come, change their key, and go.
create table bank.sessions (
    token uuid primary key default gen_random_uuid(),
    writer integer not null,
    payload bytea not null
);

-- Values too long for a row: an update that does not touch them carries them as "unchanged".
create table bank.documents (
    id bigint primary key,
    body jsonb not null,
    reads bigint not null default 0
);
alter table bank.documents alter column body set storage external;

create sequence bank.ticket start 100 increment 7 cache 5;

-- Lists that the writers append to, one in sixteen of their transactions: the order in which they committed.
create table bank.lists (
    id integer primary key,
    items bigint[] not null default '{}'
);
insert into bank.lists (id) select generate_series(0, 3);
