//! [`Answer`]: a whole answer, without a framework.

use std::borrow::Cow;

use serde::Serialize;

use crate::error_answer::ErrorAnswer;

/// An answer to a request: status, headers, and a JSON body. It is not for a cache (`Cache-Control: no-store`).
#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: String,
    error: Option<ErrorAnswer>,
}

const NO_STORE: (&str, Cow<'static, str>) = ("Cache-Control", Cow::Borrowed("no-store"));

impl Answer {
    /// Creates a success.
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        // Texts, numbers and instants can be written, and writing into memory cannot fail.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, headers: Self::every_header(), body, error: None }
    }

    /// Creates a success without a body.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: vec![NO_STORE], body: String::new(), error: None }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn every_header() -> Vec<(&'static str, Cow<'static, str>)> {
        vec![("Content-Type", "application/json".into()), NO_STORE]
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the headers, `Content-Type` included, each with its value.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_ref()))
    }

    /// Returns the body, and the error if the answer is one. The error is for the log: its
    /// [`cause_chain`](ErrorAnswer::cause_chain) says what failed.
    #[must_use]
    pub fn into_parts(self) -> (String, Option<ErrorAnswer>) {
        (self.body, self.error)
    }
}

impl From<ErrorAnswer> for Answer {
    fn from(error: ErrorAnswer) -> Self {
        let mut headers = Self::every_header();
        headers.extend(error.headers());
        Self { status: error.code().status(), headers, body: error.json(), error: Some(error) }
    }
}
