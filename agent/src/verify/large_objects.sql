-- Large objects with OIDs above $1 and up to $2, at most $3 of them, each as one JSON document (wire::LargeObject).
select json_build_object(
           'oid', m.oid::int8, 'owner', pg_get_userbyid(m.lomowner),
           'grants', (select coalesce(json_agg(json_build_object(
                                 'grantor', pg_get_userbyid(a.grantor),
                                 'grantee', case when a.grantee <> 0 then pg_get_userbyid(a.grantee) end,
                                 'privilege', a.privilege_type, 'grantable', a.is_grantable)
                             order by a.grantor <> m.lomowner, pg_get_userbyid(a.grantor)::text collate "C",
                                      pg_get_userbyid(a.grantee)::text collate "C", a.privilege_type), '[]')
                      from aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) a),
           'comment', obj_description(m.oid, 'pg_largeobject'))::text
from pg_largeobject_metadata m
where m.oid > $1 and m.oid <= $2
order by m.oid
limit $3
