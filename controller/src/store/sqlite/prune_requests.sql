delete from request
where at < ?1
   or id in (select id from request order by at desc limit -1 offset ?2)
