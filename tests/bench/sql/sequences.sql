do $$
begin
    for n in 1 .. :count loop
        execute format('create table t%s (id bigserial primary key, label text)', n);
        execute format('insert into t%s (label) select md5(i::text) from generate_series(1, 5) i', n);
    end loop;
end
$$
