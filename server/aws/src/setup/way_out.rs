//! Where a machine of the platform's own, beside its hosts, is put.

use super::{Found, Part};

/// Returns a subnet whose machines can call out, of a network that is our own: the private one behind a NAT gateway, if
/// there is one, or else a public one.
pub(super) fn way_out(found: &Found) -> Option<String> {
    let nat = found.all().find_map(|(part, _)| match part {
        Part::Nat(zone) => found.id(&Part::PrivateSubnet(zone.clone())),
        _ => None,
    });
    let public = || found.all().find(|(part, _)| matches!(part, Part::PublicSubnet(_)));
    nat.or_else(|| public().map(|(_, piece)| piece.id.as_str())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Piece;

    #[test]
    fn a_machine_is_where_it_can_call_out() {
        let mut found = Found::of("1".into());
        assert_eq!(way_out(&found), None);
        let mut note = |part, id: &str| {
            found.note(part, Piece { id: id.into(), ..Piece::default() });
            way_out(&found)
        };
        assert_eq!(note(Part::PrivateSubnet("us-east-1b".into()), "subnet-1"), None);
        assert_eq!(note(Part::PublicSubnet("us-east-1a".into()), "subnet-2").as_deref(), Some("subnet-2"));
        assert_eq!(note(Part::Nat("us-east-1b".into()), "nat-1").as_deref(), Some("subnet-1"));
    }
}
