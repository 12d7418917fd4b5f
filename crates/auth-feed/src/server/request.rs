//! Parameters of a request for a page.

use std::time::Duration;

use crate::cursor::Cursor;

/// Longest wait for news that a follower may ask for. No answer takes much longer than that, so proxies that give up after 30 seconds
/// do not cut it off.
pub const MAX_WAIT: Duration = Duration::from_secs(25);

/// Largest number of entries of a page that a follower may ask for.
pub const MAX_LIMIT: u32 = 10_000;

const DEFAULT_LIMIT: usize = 1_000;

/// Request for the page after a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    pub(super) after: Cursor,
    pub(super) wait: Duration,
    pub(super) limit: usize,
}

/// Parameter of a request that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {rule}")]
pub struct BadParameter {
    /// Name of the parameter.
    pub name: &'static str,
    /// The rule.
    pub rule: &'static str,
}

impl PageRequest {
    /// Reads the query parameters `after`, `wait` (whole seconds, 0 if absent) and `limit` (1,000 if absent).
    ///
    /// ```
    /// use auth_feed::server::PageRequest;
    ///
    /// let after = "67e55044-10b1-426f-9247-bb680e5fe0c8:7";
    /// assert!(PageRequest::parse(after, Some("25"), None).is_ok());
    /// assert_eq!(PageRequest::parse(after, Some("26"), None).unwrap_err().name, "wait");
    /// ```
    ///
    /// # Errors
    ///
    /// When a parameter is not a cursor or a number within its bounds.
    pub fn parse(after: &str, wait: Option<&str>, limit: Option<&str>) -> Result<Self, BadParameter> {
        let bad = |name, rule| BadParameter { name, rule };
        let after = after.parse().map_err(|_| bad("after", "must be EPOCH:POSITION or EPOCH:POSITION:MARK"))?;
        let wait = wait.map_or(Some(Duration::ZERO), |wait| number(wait).map(Duration::from_secs));
        let wait = wait.filter(|wait| *wait <= MAX_WAIT).ok_or(bad("wait", "must be a whole number from 0 to 25"))?;
        let limit = limit.map_or(Some(DEFAULT_LIMIT), |limit| usize::try_from(number(limit)?).ok());
        let limit = limit.filter(|limit| (1..=MAX_LIMIT as usize).contains(limit));
        let limit = limit.ok_or(bad("limit", "must be a whole number from 1 to 10000"))?;
        Ok(Self { after, wait, limit })
    }
}

fn number(text: &str) -> Option<u64> {
    Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}
