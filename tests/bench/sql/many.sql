do $$
begin
    for n in 1 .. :count loop
        execute format(
            'create table t%s (id integer primary key, parent integer, label text, at timestamptz default now())', n);
        execute format('create index on t%s (parent)', n);
        if n % 10 = 0 then
            execute format('insert into t%s select i, i / 10, md5(i::text) from generate_series(1, 1000) i', n);
        end if;
    end loop;
end
$$
