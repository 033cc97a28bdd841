//! Several machines on one, each with addresses of its own: hosts in two zones and a control plane, under a steady load,
//! while one of them is drained, dies, or is cut off. It needs root; `make test` leaves it out elsewhere and says so.

mod census;
mod death;
mod drain;
mod fleet;
mod host;
mod machine;
mod network;
mod partition;
mod restarts;
mod wires;
