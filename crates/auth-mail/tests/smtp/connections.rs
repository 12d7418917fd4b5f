//! Connections that are used again, and their number.

use std::num::NonZeroUsize;

use auth_core::letters::Mailer as _;
use auth_mail::SmtpMailer;
use futures_util::{StreamExt as _, stream};

use super::sink::Sink;
use super::{any_letter, composer};

/// Sends letters, so many at once.
async fn send_many(mailer: &SmtpMailer, letters: usize, at_once: usize) {
    let sends = stream::iter((0..letters).map(|_| async { mailer.send(&any_letter()).await.unwrap() }));
    sends.buffer_unordered(at_once).collect::<()>().await;
}

#[tokio::test]
async fn a_connection_carries_a_hundred_letters() {
    let Some(sink) = Sink::start(&["--count"]) else { return };
    send_many(&sink.mailer(), 250, 1).await;
    assert_eq!((sink.count(), sink.connections()), (250, (3, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_are_open_than_the_bound() {
    let Some(sink) = Sink::start(&["--count", "--delay", "0.01"]) else { return };
    let four = NonZeroUsize::new(4).unwrap();
    let mailer = SmtpMailer::with_max_connections(sink.url(""), composer("Orchard"), four).unwrap();
    send_many(&mailer, 64, 32).await;
    assert_eq!((sink.count(), sink.connections()), (64, (4, 4)));
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_replaced() {
    let Some(mut sink) = Sink::start(&["--count", "--close"]) else { return };
    let mailer = sink.mailer();
    for sent in 1..=3 {
        mailer.send(&any_letter()).await.unwrap();
        sink.wait_for_close();
        assert_eq!((sink.count(), sink.connections().0), (sent, sent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_number_of_letters() {
    let Some(sink) = Sink::start(&["--count"]) else { return };
    let mailer = sink.mailer();
    send_many(&mailer, 300, 8).await;
    let before = resident_bytes();
    send_many(&mailer, 900, 8).await;
    let grown = resident_bytes().saturating_sub(before);
    assert_eq!(sink.count(), 1_200);
    assert!(grown < 3 << 20, "{grown} bytes");
}

/// Returns the resident memory of this process.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
