-- Each table's point: changes before it are in its copy. All changes of a table that is held are left out.
select source_oid, case when held is null then point else 'FFFFFFFF/FFFFFFFF' end
from whimbrel.relation
where point is not null;
