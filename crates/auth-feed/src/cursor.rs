//! Cursors: the place in a log up to which a follower has read.

use std::fmt;
use std::str::FromStr;

use auth_core::blacklist::{LogIdentity, Mark, Position};
use uuid::Uuid;

/// Place in a log up to which a follower has read: the identity of the log, a position, and the mark of the entry there.
///
/// Its text form is `EPOCH:POSITION` or `EPOCH:POSITION:MARK`. The epoch is a UUID, the position a decimal number and the mark
/// 16 lower-case hexadecimal digits. Position 0, and a position whose entry is gone, have the mark `0000000000000000`.
///
/// ```
/// use auth_feed::Cursor;
///
/// let text = "67e55044-10b1-426f-9247-bb680e5fe0c8:7:00000000000000ff";
/// assert_eq!(text.parse::<Cursor>()?.to_string(), text);
/// assert!("7".parse::<Cursor>().is_err());
/// # Ok::<(), auth_feed::CursorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Identity of the log.
    pub epoch: LogIdentity,
    /// Position of the last entry that was read, or 0.
    pub position: Position,
    /// Mark of that entry. Without one the server does not check that the follower has read the same history.
    pub mark: Option<Mark>,
}

/// Error of a text that is not a [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is EPOCH:POSITION or EPOCH:POSITION:MARK, with a UUID, a decimal number and 16 hexadecimal digits")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.split(':');
        let (Some(epoch), Some(position), mark, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(CursorError);
        };
        let epoch = Some(epoch).filter(|epoch| epoch.len() == 36).and_then(|epoch| Uuid::try_parse(epoch).ok());
        let is_decimal = position.bytes().all(|byte| byte.is_ascii_digit());
        let position = Some(position).filter(|_| is_decimal).and_then(|position| position.parse().ok());
        Ok(Self {
            epoch: LogIdentity(epoch.ok_or(CursorError)?),
            position: Position(position.ok_or(CursorError)?),
            mark: mark.map(|mark| parse_mark(mark).ok_or(CursorError)).transpose()?,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, position, mark } = self;
        write!(f, "{}:{}", epoch.0, position.0)?;
        mark.map_or(Ok(()), |mark| write!(f, ":{}", mark_text(mark)))
    }
}

/// Returns a mark as 16 hexadecimal digits.
pub(crate) fn mark_text(mark: Mark) -> String {
    format!("{:016x}", mark.0)
}

/// Returns the mark with this text, which [`mark_text`] made.
pub(crate) fn parse_mark(text: &str) -> Option<Mark> {
    let is_hex = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u64::from_str_radix(text, 16).ok().filter(|_| is_hex).map(Mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    #[test]
    fn both_forms_are_read_and_written() {
        for text in [format!("{EPOCH}:0"), format!("{EPOCH}:18446744073709551615:00ff00ff00ff00ff")] {
            assert_eq!(text.parse::<Cursor>().map(|cursor| cursor.to_string()), Ok(text));
        }
    }

    #[test]
    fn no_other_text_is_a_cursor() {
        let bad = [
            "",
            ":",
            "::",
            EPOCH,
            "7",
            "EPOCH:",
            "EPOCH:-1",
            "EPOCH:+1",
            "EPOCH: 1",
            "EPOCH:18446744073709551616",
            "EPOCH:1:",
            "EPOCH:1:ff",
            "EPOCH:1:00FF00FF00FF00FF",
            "EPOCH:1:+0ff00ff00ff00ff",
            "EPOCH:1:00ff00ff00ff00ff:",
            "{EPOCH}:1",
            "urn:uuid:EPOCH:1",
        ];
        for text in bad.map(|text| text.replace("EPOCH", EPOCH)) {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
        assert!(format!("{}:1", EPOCH.replace('-', "")).parse::<Cursor>().is_err());
    }
}
