//! How the pages of a table are cut into parts, and which of them are still to come.
//!
//! PURE.
use crate::wire::PageRange;

/// The ranges of a table's parts; one open part for a table that is hardly larger than one, or must not be cut.
pub(super) fn ranges(pages: u32, part: u32, whole: bool) -> Vec<Option<PageRange>> {
    if whole || pages < part.saturating_add(part / 2) {
        return vec![None];
    }
    cut(PageRange { from: 0, to: None }, pages, part)
}

/// Those that are still to come when `done` are here.
pub(super) fn remaining(
    pages: u32,
    part: u32,
    whole: bool,
    done: &[PageRange],
) -> Vec<Option<PageRange>> {
    if done.is_empty() {
        return ranges(pages, part, whole);
    }
    gaps(done).into_iter().flat_map(|gap| cut(gap, pages, part)).collect()
}

/// Neighbours joined, in their order.
pub(super) fn joined(ranges: &[PageRange]) -> Vec<PageRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<PageRange> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if last.to.is_none_or(|to| to >= range.from) => {
                last.to = last.to.zip(range.to).map(|(one, other)| one.max(other));
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// What lies between the ranges, before and behind them.
fn gaps(done: &[PageRange]) -> Vec<PageRange> {
    let mut gaps = Vec::new();
    let mut next = Some(0);
    for range in joined(done) {
        let Some(from) = next else { break };
        if range.from > from {
            gaps.push(PageRange { from, to: Some(range.from) });
        }
        next = range.to;
    }
    gaps.extend(next.map(|from| PageRange { from, to: None }));
    gaps
}

/// Parts of a range, the last ones smaller. Pages that the table has grown since are the last part's.
fn cut(range: PageRange, pages: u32, part: u32) -> Vec<Option<PageRange>> {
    let mut from = range.from;
    let end = range.to.unwrap_or(pages);
    let mut parts = Vec::new();
    while let Some(to) =
        from.checked_add(size(end.saturating_sub(from), part)).filter(|to| *to < end)
    {
        parts.push(Some(PageRange { from, to: Some(to) }));
        from = to;
    }
    parts.push(Some(PageRange { from, to: range.to }));
    parts
}

/// Pages of the next part when so many are left. A table's indexes begin when its last part is here, so workers that end far apart
/// leave a processor idle: from [`TAIL`] parts before the end on, each takes only so large a share of what is left.
fn size(left: u32, part: u32) -> u32 {
    (left / TAIL).clamp((part / SMALLEST).max(1), part.max(1))
}

/// From how many parts before the end on parts get smaller: with two workers, who are the fewest, the last parts of both are
/// small even if one is twice as fast.
const TAIL: u32 = 4;

/// What share of a part the smallest is: 16 MB of 128. It costs a transaction on both servers, a millisecond or two.
const SMALLEST: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::limits::PART_PAGES;

    /// Every page is in one of the parts, and in one only.
    fn cover(mut parts: Vec<PageRange>) {
        parts.sort_unstable();
        assert_eq!(parts[0].from, 0);
        assert!(parts.windows(2).all(|pair| pair[0].to == Some(pair[1].from)), "{parts:?}");
        assert_eq!(parts.last().and_then(|range| range.to), None);
    }

    #[test]
    fn ranges_cover_every_page_once_and_the_last_is_open() {
        assert_eq!(ranges(0, PART_PAGES, false), [None]);
        assert_eq!(ranges(PART_PAGES * 9, PART_PAGES, true), [None]);
        assert_eq!(ranges(PART_PAGES, PART_PAGES, false), [None]);
        for pages in [PART_PAGES * 2, PART_PAGES * 2 + 1, PART_PAGES * 7 - 1, u32::MAX] {
            cover(ranges(pages, PART_PAGES, false).into_iter().flatten().collect());
        }
    }

    #[test]
    fn the_last_parts_are_small() {
        let sizes: Vec<u32> = ranges(10_000, 1000, false)
            .into_iter()
            .flatten()
            .map(|range| range.to.unwrap_or(10_000) - range.from)
            .collect();
        assert_eq!(sizes[..6], [1000; 6]);
        assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "{sizes:?}");
        assert!(sizes[sizes.len() - 4..].iter().all(|size| *size <= 1000 / SMALLEST), "{sizes:?}");
        assert!(sizes.len() < 20, "{sizes:?}");
    }

    #[test]
    fn what_remains_and_what_is_done_are_the_table() {
        let all: Vec<PageRange> = ranges(100, 20, false).into_iter().flatten().collect();
        for chosen in 1_u32..1 << all.len() {
            let done: Vec<PageRange> =
                (0..).zip(&all).filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, r)| *r).collect();
            // With parts of another size than they were begun with, too.
            for part in [20, 7, 1000] {
                let left = remaining(100, part, false, &done).into_iter().flatten();
                cover(done.iter().copied().chain(left).collect());
            }
        }
        assert!(remaining(100, 10, true, &[PageRange { from: 0, to: None }]).is_empty());
    }

    #[test]
    fn neighbours_are_joined() {
        let range = |from, to| PageRange { from, to };
        let ranges = [range(8, None), range(0, Some(2)), range(2, Some(4)), range(9, Some(10))];
        assert_eq!(joined(&ranges), [range(0, Some(4)), range(8, None)]);
    }
}
