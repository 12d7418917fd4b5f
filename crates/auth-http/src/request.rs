//! The head of a request, as an adapter hands it to this crate.

/// The head of a request. Each adapter implements it for the type of its framework.
pub trait RequestHead {
    /// Returns the method (RFC 9110 §9.1).
    fn method(&self) -> &str;

    /// Returns the authority of the request's URI, which HTTP/2 has in place of `Host`.
    fn authority(&self) -> Option<&str>;

    /// Returns the values of the `Authorization` headers.
    fn authorization(&self) -> impl Iterator<Item = &[u8]>;

    /// Returns the values of the headers with this name, which is in lower case.
    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]>;
}
