-- :rows rows in each of four tables, with seven foreign keys between them and to a small one.
create table place (id int primary key, name text not null);
insert into place select g, 'place ' || g from generate_series(1, 500) g;
create table customer (id int primary key, place int not null, up int, name text not null);
insert into customer select g, 1 + g % 500, nullif(g / 2, 0), md5(g::text) from generate_series(1, :rows) g;
create table purchase (id int primary key, customer int not null, at timestamptz not null);
insert into purchase select g, 1 + (g::int8 * 7919) % :rows, timestamptz '2026-01-01' + g * interval '1 second' from generate_series(1, :rows) g;
create table line (id int primary key, purchase int not null, place int not null, price numeric(10, 2) not null);
insert into line select g, 1 + (g::int8 * 104729) % :rows, 1 + g % 500, g % 10000 / 100.0 from generate_series(1, :rows) g;
create table payment (id int primary key, purchase int not null, customer int not null, amount numeric(10, 2) not null);
insert into payment select g, g, 1 + (g::int8 * 7919) % :rows, g % 10000 / 100.0 from generate_series(1, :rows) g;
alter table customer add foreign key (place) references place, add foreign key (up) references customer;
alter table purchase add foreign key (customer) references customer;
alter table line add foreign key (purchase) references purchase, add foreign key (place) references place;
alter table payment add foreign key (purchase) references purchase, add foreign key (customer) references customer;
