create table wide (
    id bigint primary key,
    customer integer not null,
    status text not null,
    note text,
    body jsonb,
    price numeric(12, 2),
    weight double precision,
    made timestamptz not null,
    changed timestamptz,
    labels text[],
    token uuid
);
insert into wide
select i, i % 50000, (array['new', 'paid', 'sent', 'closed'])[1 + i % 4], repeat(md5(i::text), 2),
       jsonb_build_object('n', i, 'city', md5((i % 1000)::text), 'flags', jsonb_build_array(i % 3, i % 7)),
       (i % 100000) / 100.0, sqrt(i), timestamptz '2025-01-01' + i * interval '1 second',
       case when i % 3 = 0 then timestamptz '2026-01-01' + i * interval '1 second' end,
       array['l' || i % 10, 'm' || i % 100], md5(i::text)::uuid
from generate_series(1, :rows) i;
create index on wide (customer);
create index on wide (status, made);
create index on wide (price);
create index on wide using gin (labels);
