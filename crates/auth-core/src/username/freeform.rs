//! Characters that a name may have: those of the PRECIS `FreeformClass` (RFC 8264 §4.3), except a few that show
//! nothing.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, Script};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Returns whether no name may have this character.
///
/// Disallowed are controls, characters that are invisible or change the direction of text, characters that Unicode has
/// not assigned or leaves to private agreement, and white space other than U+0020.
///
/// The rules are those of RFC 8264 §8 and §9 for `FreeformClass`, with two differences. Zero-width joiners are never
/// allowed (`CONTEXTJ`). Neither is a character that is assigned and shows nothing (see [`is_blank`]). "Unassigned"
/// refers to the version of Unicode that `icu_properties` was built from.
pub(super) fn is_disallowed(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let disallowed = GeneralCategoryGroup::Other.union(GeneralCategoryGroup::Separator);
    c != ' ' && disallowed.contains(category)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || is_old_hangul(c)
        || is_blank(c)
}

/// Returns whether the character is in `OldHangulJamo` (RFC 8264 §9.9): parts of syllables that no normalisation
/// composes.
fn is_old_hangul(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97C}' | '\u{D7B0}'..='\u{D7FB}')
}

/// Returns whether the character is a symbol or letter whose glyph is empty, or stands for something that is not there.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{2800}' // braille pattern blank
        | '\u{FFFC}' | '\u{FFFD}' // object replacement, replacement character
        | '\u{13441}' | '\u{13442}' // Egyptian hieroglyph full blank, half blank
        | '\u{16FE4}' // Khitan small script filler
        | '\u{1D159}' // musical symbol null notehead
    )
}

/// Returns whether each character is in a context where it is allowed (`CONTEXTO`, RFC 5892 appendix A.3 to A.9), and
/// the first is not a combining mark. Such a mark would be drawn on the text before the name.
pub(super) fn is_in_context(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_mark = |c: &char| GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(*c));
    let script = |at: Option<usize>| {
        let c = at.and_then(|at| chars.get(at));
        c.map(|c| CodePointMapData::<Script>::new().get(*c))
    };
    let is = |at: Option<usize>, wanted: char| at.and_then(|at| chars.get(at)) == Some(&wanted);
    let any = |wanted: fn(&char) -> bool| chars.iter().any(wanted);
    let may_stand = |(at, c): (usize, &char)| match c {
        '\u{B7}' => is(at.checked_sub(1), 'l') && is(at.checked_add(1), 'l'),
        '\u{375}' => script(at.checked_add(1)) == Some(Script::Greek),
        '\u{5F3}' | '\u{5F4}' => script(at.checked_sub(1)) == Some(Script::Hebrew),
        '\u{30FB}' => (0..chars.len())
            .any(|at| matches!(script(Some(at)), Some(Script::Hiragana | Script::Katakana | Script::Han))),
        '\u{660}'..='\u{669}' => !any(|c| matches!(c, '\u{6F0}'..='\u{6F9}')),
        _ => true,
    };
    !chars.first().is_some_and(is_mark) && chars.iter().enumerate().all(may_stand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_a_glyph_or_a_meaning_are_disallowed() {
        for (name, chars) in [
            ("controls", "\0\t\n\r\u{1b}\u{7f}\u{80}\u{85}\u{9f}"),
            ("separators", "\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}"),
            ("zero width", "\u{ad}\u{34f}\u{180e}\u{200b}\u{200c}\u{200d}\u{2060}\u{2064}\u{feff}"),
            ("direction", "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{206f}"),
            ("variation selectors", "\u{fe00}\u{fe0f}\u{180b}\u{e0100}\u{e01ef}"),
            ("tags", "\u{e0001}\u{e0020}\u{e007f}"),
            ("fillers", "\u{115f}\u{1160}\u{17b4}\u{17b5}\u{3164}\u{ffa0}\u{16fe4}"),
            ("blanks", "\u{2800}\u{fffc}\u{fffd}\u{13441}\u{1d159}"),
            ("format", "\u{600}\u{6dd}\u{70f}\u{8e2}\u{fff9}\u{fffb}\u{110bd}\u{13430}\u{1bca0}\u{1d173}"),
            ("private use", "\u{e000}\u{f8ff}\u{f0000}\u{100000}"),
            ("noncharacters", "\u{fdd0}\u{fdef}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}"),
            ("unassigned", "\u{378}\u{530}\u{2fe0}\u{e0fff}\u{40000}"),
            ("old Hangul", "\u{1100}\u{11a8}\u{a960}\u{d7b0}"),
        ] {
            for c in chars.chars() {
                assert!(is_disallowed(c), "{name}: U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn letters_digits_punctuation_and_symbols_of_all_scripts_are_allowed() {
        for c in "aZ09 _-.'@#ßéİΣжאبकあア漢가ﬁ①½€☃𝔞\u{301}".chars().chain(['\u{1F600}', '\u{1F9D1}', '\u{10000}'])
        {
            assert!(!is_disallowed(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn some_characters_are_allowed_beside_certain_others_only() {
        for good in [
            "col·lecció",
            "α\u{375}β",
            "א\u{5F3}",
            "א\u{5F4}ב",
            "レオナルド・ダ・ヴィンチ",
            "\u{661}\u{662}",
            "\u{6F1}",
            "e\u{301}",
        ] {
            assert!(is_in_context(good), "{good}");
        }
        for bad in ["a·b", "·", "l·", "\u{375}a", "a\u{5F3}", "\u{5F4}", "a・b", "\u{661}\u{6F1}", "\u{301}e"] {
            assert!(!is_in_context(bad), "{bad}");
        }
    }
}
