-- Each table's point: changes before it are in its copy. One that is held has none that counts: its rows' changes are left out.
select source_oid, point, held is not null, retyped
from whimbrel.relation
where point is not null;
