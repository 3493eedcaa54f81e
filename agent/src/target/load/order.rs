//! The order in which tables can be made.
use crate::wire::Structure;

/// A table can be made once those that it inherits from are there.
pub(in crate::target) fn parents_first(mut forms: Vec<Structure>) -> Vec<Structure> {
    let mut ordered = Vec::with_capacity(forms.len());
    while !forms.is_empty() {
        let waits = |form: &Structure| match form {
            Structure::Relation(relation) => relation
                .parents
                .iter()
                .any(|parent| forms.iter().any(|other| other.id().1 == parent.oid)),
            _ => false,
        };
        let waiting: Vec<bool> = forms.iter().map(waits).collect();
        // No catalog has a circle.
        if waiting.iter().all(|waits| *waits) {
            ordered.append(&mut forms);
            break;
        }
        let mut waiting = waiting.into_iter();
        let (later, now): (Vec<_>, Vec<_>) =
            forms.into_iter().partition(|_| waiting.next().unwrap_or_default());
        ordered.extend(now);
        forms = later;
    }
    ordered
}
