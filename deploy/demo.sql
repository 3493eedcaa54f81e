-- A shop of some hundred megabytes, beside pgbench's tables and the application's bank: big tables, wide rows, values
-- out of line, many small tables, partitions, views, triggers, sequences.
\set ON_ERROR_STOP on
select setseed(0.5) \g /dev/null
create schema shop;
create type shop.status as enum ('open', 'paid', 'sent', 'returned');

create table shop.customers (
    id bigint generated always as identity primary key,
    name text not null,
    email text not null unique,
    since date not null,
    address jsonb not null
);
insert into shop.customers (name, email, since, address)
select 'customer ' || n, 'customer' || n || '@example.org', date '2015-01-01' + n % 4000,
       jsonb_build_object('street', md5(n::text), 'city', 'city ' || n % 500, 'zip', 10000 + n % 80000)
from generate_series(1, 200000) n;

create table shop.orders (
    id bigint generated always as identity,
    customer bigint not null references shop.customers,
    placed timestamptz not null,
    status shop.status not null default 'open',
    total numeric(12, 2) not null,
    lines jsonb not null,
    primary key (placed, id)
) partition by range (placed);
create table shop.orders_2024 partition of shop.orders for values from ('2024-01-01') to ('2025-01-01');
create table shop.orders_2025 partition of shop.orders for values from ('2025-01-01') to ('2026-01-01');
create table shop.orders_2026 partition of shop.orders for values from ('2026-01-01') to ('2027-01-01');
insert into shop.orders (customer, placed, status, total, lines)
select 1 + n % 200000, timestamptz '2024-01-01 00:00+00' + n * interval '2 minutes',
       (enum_range(null::shop.status))[1 + n % 4], (n % 100000) / 100.0,
       jsonb_build_array(jsonb_build_object('sku', md5(n::text), 'count', n % 9, 'note', repeat('x', n % 40)))
from generate_series(1, 700000) n;
create index orders_customer on shop.orders (customer);

create table shop.pictures (
    sku text primary key,
    picture bytea not null
);
alter table shop.pictures alter picture set storage external;
insert into shop.pictures
select 'sku-' || n, (select string_agg(sha512((n || '-' || m)::bytea), '') from generate_series(1, 300) m)
from generate_series(1, 3000) n;

create table shop.price_changes (sku text, price numeric, changed timestamptz);
alter table shop.price_changes replica identity full;
insert into shop.price_changes
select 'sku-' || n % 3000, n / 7.0, timestamptz '2026-01-01 00:00+00' + n * interval '1 second'
from generate_series(1, 20000) n;

do $$ begin
    for n in 1..20 loop
        execute format('create table shop.region_%s (id int primary key, name text, population bigint)', n);
        execute format('insert into shop.region_%s select m, md5(m::text), m * 1000 from generate_series(1, 500) m', n);
    end loop;
end $$;

create view shop.open_orders as select id, customer, total from shop.orders where status = 'open';
create materialized view shop.turnover as
select date_trunc('month', placed) as month, sum(total) as total from shop.orders group by 1;
create function shop.lower_email() returns trigger language plpgsql as
$$ begin new.email := lower(new.email); return new; end $$;
create trigger lower_email before insert or update on shop.customers
for each row execute function shop.lower_email();
create sequence shop.invoice start 1000;
select nextval('shop.invoice') from generate_series(1, 7) \g /dev/null
