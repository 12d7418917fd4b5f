//! Letters to a real SMTP server.
