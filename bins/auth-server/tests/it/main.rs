//! The server through its own door: what a client sees, whatever it sends.

mod envelope;
mod slow_clients;
mod support;
mod tour;
