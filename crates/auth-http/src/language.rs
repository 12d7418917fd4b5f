//! The language of an answer, negotiated from `Accept-Language` (RFC 9110 §12.5.4).

use auth_core::Language;

/// Largest number of language ranges that are read. A person does not list more.
const MAX_RANGES: usize = 32;

/// A quality value in thousandths (RFC 9110 §12.4.2).
type Quality = u16;

/// Returns the language of `offered` that the values of the `Accept-Language` fields prefer, or the first one where they prefer
/// none. Where nothing is offered it is the default language.
///
/// The lookup is that of RFC 4647 §3.4: a range is matched by the same tag, by a tag that is shorter by subtags at the end
/// (`en` for `en-GB`), and after that by a longer one (`pt-br` for `pt`). Ranges are tried in order of their quality values, and
/// those of the same quality in the order of the field. A range with the quality 0 excludes its languages. A malformed range
/// is skipped.
#[must_use]
pub fn preferred_language<'h>(accept_language: impl IntoIterator<Item = &'h [u8]>, offered: &[Language]) -> Language {
    let items = accept_language.into_iter().filter_map(|value| str::from_utf8(value).ok());
    let items = items.flat_map(|value| value.split(',')).take(MAX_RANGES);
    let mut ranges: Vec<(String, Quality)> = items.filter_map(range).collect();
    // The sort is stable, so ranges of the same quality stay in their order.
    ranges.sort_by_key(|(_, quality)| std::cmp::Reverse(*quality));
    let excluded = |tag: &str| ranges.iter().any(|(range, quality)| *quality == 0 && begins_with(tag, range));
    let acceptable: Vec<&Language> = offered.iter().filter(|language| !excluded(language.as_str())).collect();
    let wanted = ranges.iter().filter(|(_, quality)| *quality > 0);
    let found = wanted.into_iter().find_map(|(range, _)| lookup(range, &acceptable));
    found.or(offered.first()).cloned().unwrap_or_default()
}

/// Parses one item of the field: a language range and its quality, which is 1 unless it is given.
fn range(item: &str) -> Option<(String, Quality)> {
    let (range, weight) = item.split_once(';').map_or((item, None), |(range, weight)| (range, Some(weight)));
    let range = range.trim_matches([' ', '\t']).to_ascii_lowercase();
    let is_tag = range == "*" || Language::parse(&range).is_ok();
    is_tag.then_some((range, weight.map_or(Some(1_000), quality)?))
}

/// Parses `q=` and a number from 0 to 1 with at most three digits after the point.
fn quality(weight: &str) -> Option<Quality> {
    let (name, value) = weight.split_once('=')?;
    if !name.trim_matches([' ', '\t']).eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, thousandths) = match value.trim_matches([' ', '\t']).split_once('.') {
        Some((whole, digits)) => (whole, digits),
        None => (value.trim_matches([' ', '\t']), ""),
    };
    if thousandths.len() > 3 || !thousandths.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: Quality = format!("{thousandths:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

fn lookup<'o>(range: &str, acceptable: &[&'o Language]) -> Option<&'o Language> {
    if range == "*" {
        return acceptable.first().copied();
    }
    let mut shortened = range;
    loop {
        if let Some(same) = acceptable.iter().find(|language| language.as_str() == shortened) {
            return Some(same);
        }
        let Some((shorter, _)) = shortened.rsplit_once('-') else { break };
        // A subtag of one character begins a sequence and is removed with it (RFC 4647 §3.4).
        shortened = shorter.rsplit_once('-').filter(|(_, last)| last.len() == 1).map_or(shorter, |(rest, _)| rest);
    }
    acceptable.iter().find(|language| begins_with(language.as_str(), range)).copied()
}

/// Returns whether `tag` is `range` or begins with it and further subtags (RFC 4647 §3.3.1).
fn begins_with(tag: &str, range: &str) -> bool {
    tag.strip_prefix(range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offered(tags: &[&str]) -> Vec<Language> {
        tags.iter().map(|tag| Language::parse(tag).unwrap()).collect()
    }

    fn preferred(field: &str, tags: &[&str]) -> String {
        preferred_language([field.as_bytes()], &offered(tags)).to_string()
    }

    #[test]
    fn the_language_with_the_highest_quality_is_chosen() {
        for (field, language) in [
            ("ko", "ko"),
            ("KO-kr", "ko"),
            ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
            ("en;q=0.8, ko;q=0.9", "ko"),
            ("ko, en", "ko"),
            ("en, ko", "en"),
            ("fr;q=1.0, ko ; q=0.100, en;q=0.099", "ko"),
            ("ko;q=0.001, en;q=0", "ko"),
            ("*, en;q=0", "ko"),
            ("de, *;q=0.5", "en"),
            ("ko;q=0", "en"),
            ("*;q=0", "en"),
            ("de-CH, fr", "en"),
            ("", "en"),
        ] {
            assert_eq!(preferred(field, &["en", "ko"]), language, "{field}");
        }
    }

    #[test]
    fn a_malformed_range_is_skipped() {
        for item in ["ko;q=1.1", "ko;q=0.1234", "ko;q=-1", "ko;q=", "ko;q=0.x", "ko;level=1", "k o", "../ko", ";q=1"] {
            assert_eq!(preferred(&format!("{item}, en;q=0.1"), &["en", "ko"]), "en", "{item}");
        }
        assert_eq!(preferred_language([b"\xff".as_slice(), b"ko"], &offered(&["en", "ko"])).as_str(), "ko");
    }

    #[test]
    fn a_range_is_shortened_until_a_language_matches_and_matches_a_longer_one_last() {
        assert_eq!(preferred("zh-Hant-TW", &["en", "zh", "zh-hant"]), "zh-hant");
        assert_eq!(preferred("zh-Hant-x-private", &["en", "zh-hant-x", "zh-hant"]), "zh-hant");
        assert_eq!(preferred("pt", &["en", "pt-br"]), "pt-br");
        assert_eq!(preferred("pt", &["en", "ptx"]), "en");
        assert_eq!(preferred("pt;q=0, *", &["pt-br", "en"]), "en");
    }

    #[test]
    fn without_an_offer_the_language_is_the_default() {
        assert_eq!(preferred_language([b"ko".as_slice()], &[]), Language::default());
        assert_eq!(preferred_language([], &offered(&["ko", "en"])).as_str(), "ko");
    }

    proptest! {
        #[test]
        fn every_answer_is_an_offered_language(field in prop::collection::vec(any::<u8>(), 0..200)) {
            let offered = offered(&["en", "ko"]);
            prop_assert!(offered.contains(&preferred_language([field.as_slice()], &offered)));
        }
    }
}
