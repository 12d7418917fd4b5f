//! The most commonly used passwords: 42,692 from public leaks, compiled in.
//!
//! `common-passwords/generate.py` says where they come from and how they are written. The list is sorted and
//! front-coded: each line begins with a letter for the number of characters that it shares with the line before, and
//! the rest follows. A line that begins with `A` shares none.

const LIST: &str = include_str!("../../common-passwords/list.txt");

/// Start of a line that can be read without the line before it.
const BLOCK: &str = "\nA";

/// Returns whether `folded` is on the list. It must be a password in [folded](crate::email::folded) form.
pub(super) fn is_common(folded: &str) -> bool {
    let mut before = String::new();
    for line in block_of(folded).lines() {
        let Some((shared, rest)) = entry(line) else { return false };
        before.truncate(shared);
        before.push_str(rest);
        if before.as_str() >= folded {
            return before == folded;
        }
    }
    false
}

/// Returns the end of the list, from the last block on that begins at or before `text`.
fn block_of(text: &str) -> &'static str {
    let (mut first, mut end) = (0_usize, LIST.len());
    loop {
        let middle = first.midpoint(end);
        let block = match LIST[..middle].rfind(BLOCK).map_or(0, |at| at + 1) {
            // The middle is within the first block, so the search goes on in the next one.
            block if block <= first => {
                // The search starts one before the middle, which may be between the two characters of the delimiter.
                let from = first.max(middle.saturating_sub(1));
                match LIST[from..end].find(BLOCK) {
                    Some(at) => from + at + 1,
                    None => return &LIST[first..],
                }
            }
            block => block,
        };
        if head(block) <= text { first = block } else { end = block }
    }
}

/// Returns the first entry of the block at this offset.
fn head(block: usize) -> &'static str {
    LIST[block..].lines().next().and_then(entry).map_or("", |(_, rest)| rest)
}

fn entry(line: &str) -> Option<(usize, &str)> {
    let shared = line.bytes().next()?.checked_sub(b'A')?;
    Some((usize::from(shared), &line[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::folded;

    /// Returns every entry, read from the first line to the last.
    fn all() -> Vec<String> {
        let mut entries: Vec<String> = Vec::new();
        for line in LIST.lines() {
            let (shared, rest) = entry(line).unwrap();
            let before = entries.last().map_or("", String::as_str);
            entries.push(format!("{}{rest}", &before[..shared]));
        }
        entries
    }

    #[test]
    fn the_list_is_long_sorted_and_written_as_passwords_are_compared() {
        let entries = all();
        assert!(entries.len() > 40_000, "{}", entries.len());
        assert!(entries.is_sorted_by(|one, other| one < other));
        for entry in &entries {
            assert!(entry.len() >= 6 && entry.bytes().all(|byte| byte.is_ascii_graphic()), "{entry:?}");
            assert_eq!(folded(entry), *entry);
        }
    }

    #[test]
    fn every_entry_is_found_and_nothing_beside_it() {
        let entries = all();
        for entry in &entries {
            assert!(is_common(entry), "{entry:?} was not found");
        }
        for entry in entries.iter().step_by(7) {
            for neighbour in [format!("{entry}\u{1}"), format!("{entry}~~"), entry[..entry.len() - 1].to_owned()] {
                assert_eq!(is_common(&neighbour), entries.binary_search(&neighbour).is_ok(), "{neighbour:?}");
            }
        }
        for stranger in ["", "!", "~~~~~~~~~~", "\u{10ffff}", "correct horse battery staple", "ü"] {
            assert!(!is_common(stranger), "{stranger:?}");
        }
    }

    #[test]
    fn the_best_known_ones_are_there() {
        for password in
            ["123456", "password", "qwerty", "12345678", "iloveyou", "password123", "1q2w3e4r5t", "p@ssw0rd"]
        {
            assert!(is_common(password), "{password}");
        }
    }
}
