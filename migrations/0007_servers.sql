-- Several servers on one database: which one leads, who is there, and whose turn it is to write.

-- One row. Whoever leads prolongs it in each transaction in which it acts; what one writes that does not lead any more
-- is refused.
create table leadership (
    id bigint primary key check (id = 1),
    -- Grows each time another leads; at least the seconds since 1970, so that it also does when a backup is restored.
    term bigint not null,
    owner text,
    -- Where its API is reached.
    address text,
    until bigint not null
);
insert into leadership (id, term, until) values (1, 0, 0);

-- One row: how many transactions have written. Where the database itself lets several write at once, whoever has this
-- row has the turn.
create table turns (
    id bigint primary key check (id = 1),
    number bigint not null
);
insert into turns (id, number) values (1, 0);
