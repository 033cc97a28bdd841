//! Which machines of the control plane there are, and what is to be done so that there is one.

/// How far a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It starts.
    Starting,
    /// It runs.
    Running,
    /// It is being switched off.
    Stopping,
    /// It is off.
    Stopped,
    /// It ends, for good, and keeps its address until it has.
    Ending,
    /// It is no more.
    Ended,
}

/// A machine of the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// What it is.
    pub instance_type: String,
    /// The image that it was started from.
    pub image: String,
    /// Its address in the network.
    pub address: Option<String>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Machines, those that are gone too for as long as AWS shows them.
    pub machines: Vec<Machine>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// One is asked for.
    Ask,
    /// One that is off is started.
    Wake(String),
    /// It is waited for.
    Await(String),
    /// The end of the one before is waited for.
    Outlast(String),
    /// There is one, and it runs.
    Done(Machine),
    /// There are several, which only people can resolve: each has data of its own.
    Choose(Vec<String>),
}

/// Returns what is to be done.
#[must_use]
pub fn next(seen: &Seen) -> Next {
    let is_there = |machine: &&Machine| !matches!(machine.state, State::Ending | State::Ended);
    let mut there = seen.machines.iter().filter(is_there);
    match (there.next(), there.next()) {
        (None, _) => match seen.machines.iter().find(|machine| machine.state == State::Ending) {
            Some(before) => Next::Outlast(before.id.clone()),
            None => Next::Ask,
        },
        (Some(_), Some(_)) => {
            let there = seen.machines.iter().filter(is_there);
            Next::Choose(there.map(|machine| machine.id.clone()).collect())
        }
        (Some(one), None) => match one.state {
            State::Running => Next::Done(one.clone()),
            State::Stopped => Next::Wake(one.id.clone()),
            State::Starting | State::Stopping | State::Ending | State::Ended => Next::Await(one.id.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(states: &[State]) -> Seen {
        let machine = |(n, state): (usize, &State)| Machine {
            id: format!("i-{n}"),
            state: *state,
            instance_type: "t3.medium".into(),
            image: "ami-1".into(),
            address: None,
        };
        Seen { machines: states.iter().enumerate().map(machine).collect() }
    }

    #[test]
    fn there_is_one_in_the_end_and_those_that_are_gone_do_not_count() {
        use State::{Ended, Ending, Running, Starting, Stopped, Stopping};
        assert_eq!(next(&seen(&[])), Next::Ask);
        assert_eq!(next(&seen(&[Ended, Ended])), Next::Ask);
        assert_eq!(next(&seen(&[Ended, Starting])), Next::Await("i-1".into()));
        assert_eq!(next(&seen(&[Ended, Ending])), Next::Outlast("i-1".into()));
        assert_eq!(next(&seen(&[Ending, Starting])), Next::Await("i-1".into()));
        assert_eq!(next(&seen(&[Stopping])), Next::Await("i-0".into()));
        assert_eq!(next(&seen(&[Stopped])), Next::Wake("i-0".into()));
        let running = seen(&[Ended, Running]);
        assert_eq!(next(&running), Next::Done(running.machines[1].clone()));
        assert_eq!(next(&seen(&[Running, Ended, Stopped])), Next::Choose(vec!["i-0".into(), "i-2".into()]));
    }
}
