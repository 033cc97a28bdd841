//! Several machines on one, each with addresses of its own: hosts in two zones, two servers and their database, under a
//! steady load, while one of them is drained, dies, or is cut off. They are network namespaces, or with
//! `PAASD_TEST_MACHINES=containers` containers of a Docker Engine. It needs root and Postgres; `make test` leaves it out
//! elsewhere and says so.

mod census;
mod container;
mod containers;
mod control;
mod death;
mod drain;
mod entries;
mod failover;
mod fleet;
mod host;
mod kind;
mod machine;
mod network;
mod pace;
mod partition;
mod restarts;
mod spaces;
mod wires;
