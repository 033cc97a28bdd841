-- What apps, and all of the platform, may cost a month.
create table caps (
    -- An app's id, or `platform`.
    subject text primary key,
    -- Millionths of a dollar.
    millionths bigint not null
);
