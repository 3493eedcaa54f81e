//! The order in which names are given, where only the ends are known.
//!
//! A command renames one thing after the other (a → tmp, b → a, tmp → b). Of forms that are compared only the ends are known, and
//! nothing can take a name that another still has: it waits for that one, and what waits in a ring goes by way of a name of ours.

/// One thing's name, and the one that it gets; not quoted.
pub(super) type Rename = (String, String);

/// As `renames`, in an order that goes. They are of one namespace, and no two are from or to one name. `others`: what else is named
/// there.
pub(super) fn ordered<'a>(
    renames: Vec<Rename>,
    others: impl IntoIterator<Item = &'a str>,
) -> Vec<Rename> {
    let mut left: Vec<Rename> = renames.into_iter().filter(|(from, to)| from != to).collect();
    let mut taken: Vec<String> = others.into_iter().map(str::to_owned).collect();
    taken.extend(left.iter().flat_map(|(from, to)| [from.clone(), to.clone()]));
    let mut steps = Vec::new();
    while !left.is_empty() {
        let is_free = |(_, to): &Rename| left.iter().all(|(from, _)| from != to);
        if let Some(at) = left.iter().position(is_free) {
            steps.push(left.remove(at));
            continue;
        }
        // All that is left waits in rings.
        let (from, to) = left.remove(0);
        let aside = free_name(&taken);
        steps.push((from, aside.clone()));
        taken.push(aside.clone());
        left.push((aside, to));
    }
    steps
}

fn free_name(taken: &[String]) -> String {
    let mut number = 1_usize;
    loop {
        let name = format!("whimbrel_aside_{number}");
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn renames(of: &[(&str, &str)]) -> Vec<Rename> {
        of.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    fn steps(of: &[(&str, &str)], others: &[&str]) -> Vec<Rename> {
        ordered(renames(of), others.iter().copied())
    }

    #[test]
    fn what_has_a_name_that_is_free_keeps_its_place() {
        let two = [("a", "x"), ("b", "y")];
        assert_eq!(steps(&two, &["c"]), renames(&two));
        assert!(steps(&[("a", "a")], &[]).is_empty());
    }

    #[test]
    fn what_takes_a_name_waits_for_whoever_has_it() {
        let handed_on = [("a", "b"), ("b", "c"), ("c", "d")];
        assert_eq!(steps(&handed_on, &[]), renames(&[("c", "d"), ("b", "c"), ("a", "b")]));
    }

    #[test]
    fn a_ring_goes_by_way_of_a_name_that_nothing_has() {
        let ring = [("a", "b"), ("b", "a")];
        let by = "whimbrel_aside_1";
        assert_eq!(steps(&ring, &[]), renames(&[("a", by), ("b", "a"), (by, "b")]));
        let other = "whimbrel_aside_2";
        assert_eq!(steps(&ring, &[by]), renames(&[("a", other), ("b", "a"), (other, "b")]));
    }

    /// Every permutation of five names, and each with the last one's name given up.
    #[test]
    fn each_thing_ends_with_its_name_and_no_step_takes_one_that_is_there() {
        let names = ["a", "b", "c", "d", "e"];
        for number in 0..names.len().pow(5) {
            let digit = |at: usize| number / names.len().pow(u32::try_from(at).unwrap()) % 5;
            let places: Vec<usize> = (0..5).map(digit).collect();
            if (0..5).any(|place| !places.contains(&place)) {
                continue;
            }
            for last in ["e", "f"] {
                let to = |place: &usize| if names[*place] == "e" { last } else { names[*place] };
                let all: Vec<(&str, &str)> =
                    names.iter().zip(&places).map(|(from, place)| (*from, to(place))).collect();
                let mut there: HashMap<String, &str> =
                    names.iter().map(|name| ((*name).to_owned(), *name)).collect();
                for (from, to) in steps(&all, &names) {
                    let thing = there.remove(&from).unwrap();
                    assert_eq!(there.insert(to, thing), None, "{all:?}");
                }
                for (thing, name) in all {
                    assert_eq!(there[name], thing);
                }
            }
        }
    }
}
