//! What PostgreSQL writes of an expression is not what it writes of that text once it has read it: a dump, restored, is
//! spelled otherwise, and means the same. Here are those spellings, brought to the later one.
use std::borrow::Cow;

/// As a server spells it that was given this text by a dump.
pub(super) fn respelled(text: &str) -> Cow<'_, str> {
    if !text.contains("(ARRAY[") && !text.contains("NULL::") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(without_null_names(&casts_in_arrays(text)))
}

/// `(ARRAY[a, b])::T[]` is read as `ARRAY[(a)::T, (b)::T]`: what `x in ('a', 'b')` becomes for a varchar.
fn casts_in_arrays(text: &str) -> String {
    const OPEN: &str = "(ARRAY[";
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(OPEN) {
        let (before, inside) = (&rest[..at], &rest[at + OPEN.len()..]);
        done.push_str(before);
        match cast_array(inside) {
            Some((elements, type_name, after)) => {
                let cast = elements.iter().map(|element| format!("({element})::{type_name}"));
                done.push_str(&format!("ARRAY[{}]", cast.collect::<Vec<_>>().join(", ")));
                rest = after;
            }
            None => {
                done.push_str(OPEN);
                rest = inside;
            }
        }
    }
    done + rest
}

/// The elements, the type that they are cast to, and what follows; `None` if it is no such array.
fn cast_array(inside: &str) -> Option<(Vec<&str>, &str, &str)> {
    let (elements, after) = elements(inside)?;
    let after = after.strip_prefix(")::")?;
    let (type_name, after) = after.split_once("[]")?;
    let is_type = |c: char| c.is_alphanumeric() || "_ .\"(),".contains(c);
    let nested = elements.iter().any(|element| element.starts_with("ARRAY["));
    (type_name.chars().all(is_type) && !nested).then_some((elements, type_name, after))
}

/// Up to the bracket that closes the array, split at its own commas.
fn elements(inside: &str) -> Option<(Vec<&str>, &str)> {
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    let mut found = Vec::new();
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ']') if depth == 0 => {
                found.push(inside[start..at].trim());
                return Some((found, &inside[at + 1..]));
            }
            (None, ')' | ']') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                found.push(inside[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// A bare NULL in a later arm of a UNION has no name; read again as `NULL::integer`, it has its type's. The columns that a
/// view has are a fact of their own.
fn without_null_names(text: &str) -> String {
    const NULL: &str = "NULL::";
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(NULL) {
        let (before, after) = rest.split_at(at + NULL.len());
        done.push_str(before);
        let end = after.find([',', '\n', ';']).unwrap_or(after.len());
        let (item, following) = after.split_at(end);
        done.push_str(item.split_once(" AS ").map_or(item, |(typed, _)| typed));
        rest = following;
    }
    done + rest
}

/// Without the quotes around names of small letters, digits and underscores. What stands in a literal stays.
pub(super) fn unquoted(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let quote = &from[..1];
        // One that is doubled inside ends it here and begins the next.
        let end = from[1..].find(quote).map_or(from.len(), |end| end + 2);
        let (whole, following) = from.split_at(end);
        let inner = whole.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let stands_alone = !following.starts_with('"') && !plain.ends_with('"');
        plain.push_str(inner.filter(|name| stands_alone && is_simple(name)).unwrap_or(whole));
        rest = following;
    }
    plain + rest
}

fn is_simple(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quotes_that_are_needed_are_shown() {
        for (text, shown) in [
            (r#""public"."orders" "Odd""#, r#"public.orders "Odd""#),
            (r#"("a" = 'say "x"'::"text")"#, r#"(a = 'say "x"'::text)"#),
            (r#""a""b" "x y" ''"#, r#""a""b" "x y" ''"#),
            (r#"'it''s "x"' "y" "z"#, r#"'it''s "x"' y "z"#),
            ("", ""),
        ] {
            assert_eq!(unquoted(text), shown);
        }
    }

    #[test]
    fn a_cast_of_an_array_is_one_of_its_elements() {
        let source = "CHECK (((a)::text = ANY ((ARRAY['x, ]'::character varying, 'it''s'::character varying])::text[])))";
        let target = "CHECK (((a)::text = ANY (ARRAY[('x, ]'::character varying)::text, ('it''s'::character varying)::text])))";
        assert_eq!(respelled(source), target);
        assert_eq!(respelled(target), target);
        for same in
            ["(ARRAY[1, 2])", "(ARRAY[ARRAY[1]])::int[]", "(ARRAY['x", "f(a)", "(ARRAY[1])::x"]
        {
            assert_eq!(respelled(same), same);
        }
        assert_ne!(respelled(source), respelled(&source.replace("it''s", "its")));
    }

    #[test]
    fn a_null_of_a_later_arm_has_its_types_name() {
        let source = " SELECT 1 AS a,\n    NULL::integer,\n    2";
        assert_eq!(respelled(&source.replace("integer", "integer AS int4")), source);
    }
}
