//! The search in a pane: what was found so far, and which match the user goes to.
//!
//! The source of what is unfolded is searched, in slices. Not here: the matches in one run of text
//! (`domain/text/hits`), how they are lit.

use super::cache::AttemptText;
use super::strips::Strips;
use crate::domain::text::Hits;
use crate::interface::tui::model::run::{Bound, Found, Search};

/// Bytes searched in one frame.
const SLICE: usize = 512 << 10;

/// Searches on in the runs that stand in the pane, and goes on by as many matches as the user asked for. `from` and `to`
/// are the first and the last place in sight, as part and byte.
pub(super) fn find(
    search: &Search,
    strips: &Strips,
    text: &mut AttemptText,
    from: (u32, usize),
    to: (u32, usize),
) -> Option<Found> {
    if search.text.is_empty() {
        return None;
    }
    let (mut left, mut done, mut all, mut full) = (SLICE, 0usize, 0usize, false);
    let mut parts = Vec::new();
    for at in strips.texts() {
        let Some(part) = text.parts.get_mut(at) else { continue };
        if part.hits.as_ref().is_none_or(|(needle, _)| *needle != search.text) {
            part.hits =
                Some((search.text.clone(), Hits::new(&search.text, part.text.end() - part.text.source().len())));
        }
        let Some((_, hits)) = &mut part.hits else { continue };
        let source = part.text.source();
        while left > 0 && !hits.is_done(source) {
            left = left.saturating_sub(hits.advance(source, left).max(1));
        }
        full |= hits.is_full();
        all += source.len();
        done += if hits.is_done(source) { source.len() } else { hits.searched() };
        parts.push(at);
    }
    let busy = (done < all).then(|| (done * 100 / all.max(1)).min(99) as u8);
    let counts: Vec<(u32, usize)> = parts.iter().map(|at| (*at as u32, count(text, *at))).collect();
    let total = counts.iter().map(|(_, n)| n).sum();
    // The number in the order, from 0, of the first match at or after a place.
    let rank = |text: &AttemptText, (part, byte): (u32, usize)| {
        let before: usize = counts.iter().filter(|(at, _)| *at < part).map(|(_, n)| n).sum();
        before + hits(text, part as usize).map_or(0, |hits| hits.before(byte))
    };
    let now = search.at.map(|at| rank(text, at));
    let mut nth = now;
    if total > 0 && search.step != 0 {
        let step = search.step;
        let wanted = match now {
            Some(now) => now as isize + step,
            None if step > 0 => rank(text, from) as isize + step - 1,
            None => rank(text, (to.0, to.1.saturating_add(1))) as isize + step,
        };
        // Going round needs the last one, which is known only when all was searched.
        let inside = wanted >= 0 && (wanted as usize) < total;
        if inside || busy.is_none() {
            nth = Some(wanted.rem_euclid(total as isize) as usize);
        }
    }
    let place = nth.and_then(|nth| {
        let mut left = nth;
        counts.iter().find_map(|(at, n)| {
            let here = hits(text, *at as usize)?.get(left).map(|hit| (*at, hit.start));
            left = left.saturating_sub(if here.is_some() { 0 } else { *n });
            here
        })
    });
    Some(Found {
        at: place,
        nth: place.and(nth).map_or(0, |nth| nth + 1),
        count: total,
        bound: if busy.is_some() || full || text.reading.is_some() { Bound::AtLeast } else { Bound::All },
        busy,
    })
}

fn hits(text: &AttemptText, part: usize) -> Option<&Hits> {
    text.parts.get(part)?.hits.as_ref().map(|(_, hits)| hits)
}

fn count(text: &AttemptText, part: usize) -> usize {
    hits(text, part).map_or(0, Hits::count)
}

/// `3/17`, `3/17+` while there may be more, `searching 43%`, `no match`.
pub(crate) fn words(found: &Found) -> String {
    let more = if found.bound == Bound::AtLeast { "+" } else { "" };
    match (found.count, found.busy) {
        (0, Some(percent)) => format!("searching {percent}%"),
        (0, None) => "no match".to_owned(),
        (count, Some(percent)) => format!("{}/{count}{more} {} {percent}%", found.nth, "searching"),
        (count, None) => format!("{}/{count}{more}", found.nth),
    }
}
