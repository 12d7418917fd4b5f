//! The options of a URL: `key=value` pairs after the question mark.

use percent_encoding::percent_decode_str;

use super::super::error::UrlError;

/// The options that were not taken yet. [`finish`](Self::finish) refuses what is left.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, UrlError> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                // Not named: after a `&` that is not encoded this may be a part of a password.
                UrlError::new("an option has no value; write option=value, and %26 for & in a value")
            })?;
            // As forms are encoded (and as the driver reads them): a plus sign is a blank.
            Ok((decode(&key.replace('+', " "))?, decode(&value.replace('+', " "))?))
        });
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    /// Takes the value of the option with these spellings, of which the first one is used in messages.
    pub(super) fn take(&mut self, spellings: &[&str]) -> Result<Option<String>, UrlError> {
        let mut found = self.0.extract_if(.., |(key, _)| spellings.contains(&key.as_str()));
        let value = found.next().map(|(_, value)| value);
        if found.next().is_some() {
            return Err(UrlError::new(format!("the option {} is given more than once", spellings[0])));
        }
        Ok(value)
    }

    /// Takes the value of an option that is one of `allowed`, in any case of its letters.
    pub(super) fn take_word<T: Copy>(
        &mut self,
        spellings: &[&str],
        allowed: &[(&str, T)],
    ) -> Result<Option<T>, UrlError> {
        let Some(value) = self.take(spellings)? else { return Ok(None) };
        let word = allowed.iter().find(|(word, _)| word.eq_ignore_ascii_case(&value));
        word.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
            UrlError::new(format!("the option {} must be one of {}", spellings[0], words.join(", ")))
        })
    }

    /// Takes the number of prepared statements that a connection keeps.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) fn take_statement_cache(&mut self) -> Result<Option<usize>, UrlError> {
        const MAX: usize = 10_000;
        let Some(value) = self.take(&["statement-cache-capacity"])? else { return Ok(None) };
        let capacity = value.parse().ok().filter(|capacity| *capacity <= MAX);
        let rule = || UrlError::new(format!("the option statement-cache-capacity must be a number from 0 to {MAX}"));
        capacity.ok_or_else(rule).map(Some)
    }

    /// Takes every option whose key begins with `start` and ends with `]`, as in `options[search_path]`: what is between, and
    /// the value.
    #[cfg(feature = "postgres")]
    pub(super) fn take_indexed(&mut self, start: &str) -> Vec<(String, String)> {
        let index = |key: &str| Some(key.strip_prefix(start)?.strip_suffix(']')?.to_owned());
        let found = self.0.extract_if(.., |(key, _)| index(key).is_some());
        found.filter_map(|(key, value)| Some((index(&key)?, value))).collect()
    }

    /// Refuses the options that nobody took.
    pub(super) fn finish(
        self,
        kind: &str,
        known: &str,
        reason: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<(), UrlError> {
        let Some((key, _)) = self.0.first() else { return Ok(()) };
        if let Some(reason) = reason(key) {
            return Err(UrlError::new(format!("the option {key} is not supported: {reason}")));
        }
        let name = if is_a_name(key) { key.as_str() } else { "an option with special characters" };
        Err(UrlError::new(format!("{name} is not an option of a {kind} URL; the options are {known}")))
    }
}

/// Whether a key may be shown. What has other characters may be a part of a password that was not encoded.
fn is_a_name(key: &str) -> bool {
    key.len() <= 40 && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

pub(super) fn decode(text: &str) -> Result<String, UrlError> {
    let decoded =
        percent_decode_str(text).decode_utf8().map_err(|_| UrlError::new("an encoded character is no UTF-8"))?;
    if decoded.contains('\0') {
        return Err(UrlError::new("it must not contain the character NUL (%00)"));
    }
    Ok(decoded.into_owned())
}
