-- What the machine of each host had in use, for a day. A minute without a row was not measured, or got lost on its way.
create table host_metrics (
    host_id text not null references hosts (id),
    -- Minutes since 1970.
    minute bigint not null,
    -- In thousandths of a core, the mean of the minute; null where it is not known.
    cpu_used bigint,
    cpu_total bigint,
    -- In bytes, the most of the minute.
    memory_used bigint,
    memory_total bigint,
    primary key (host_id, minute)
);
-- Finds what is old.
create index host_metrics_minute on host_metrics (minute);
-- How far the minutes of each host were taken.
create table host_meters (
    host_id text primary key references hosts (id),
    -- The last minute that was taken: those up to it change nothing any more.
    minute bigint not null,
    -- What was written last of each replica there: JSON.
    told text not null
);
