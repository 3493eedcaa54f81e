//! Pages: sizes, and tokens that mean something to us only.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tonic::Status;

use super::status::invalid_field;

const SIZE_DEFAULT: usize = 100;

const SIZE_MAX: usize = 1000;

/// Between the parts of a token.
const SEPARATOR: char = '\n';

/// How many to give.
pub(super) fn size(wish: i32) -> Result<usize, Status> {
    match usize::try_from(wish) {
        Ok(0) => Ok(SIZE_DEFAULT),
        Ok(wish) => Ok(wish.min(SIZE_MAX)),
        Err(_) => Err(invalid_field("page_size", "is negative")),
    }
}

/// A token: goes on after `cursor`, in the list that `scope` describes.
pub(super) fn token(scope: &str, cursor: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{scope}{SEPARATOR}{cursor}"))
}

/// The cursor of a token; empty for the first page.
pub(super) fn cursor(scope: &str, token: &str) -> Result<String, Status> {
    if token.is_empty() {
        return Ok(String::new());
    }
    let refuse = |problem| invalid_field("page_token", problem);
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((of, cursor)) = text.as_deref().and_then(|text| text.split_once(SEPARATOR)) else {
        return Err(refuse("is not a token that a list gave"));
    };
    if of != scope {
        return Err(refuse("is of another list: with a token, all other fields stay the same"));
    }
    Ok(cursor.to_owned())
}

/// Cuts what was read (one more than asked) to a page; gives the next page's token.
pub(super) fn cut<T>(
    found: &mut Vec<T>,
    size: usize,
    scope: &str,
    cursor_of: impl Fn(&T) -> String,
) -> String {
    if found.len() <= size {
        return String::new();
    }
    found.truncate(size);
    found.last().map(|last| token(scope, &cursor_of(last))).unwrap_or_default()
}
