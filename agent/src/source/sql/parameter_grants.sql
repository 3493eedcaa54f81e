-- Since 15: rights to set parameters, each as one JSON document (wire::ParameterGrant).
select json_build_object('parameter', p.parname, 'grantee', r.rolname, 'privilege', a.privilege_type,
                         'grantable', a.is_grantable)::text
from pg_parameter_acl p
cross join aclexplode(p.paracl) a
join pg_roles r on r.oid = a.grantee
where r.rolname !~ $1 and r.oid <> 10
order by p.parname, r.rolname
