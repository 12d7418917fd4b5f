//! Servers that refuse, are slow, or go away.

use std::time::Duration;

use auth_core::letters::Mailer as _;
use auth_mail::{SmtpMailer, SmtpUrl};

use super::sink::Sink;
use super::{any_letter, composer, is_permanent, is_temporary, whole};

#[tokio::test]
async fn a_letter_that_is_refused_for_now_is_taken_later() {
    let Some(sink) = Sink::start(&["--rcpt", "451 4.7.1 try later|250 OK"]) else { return };
    let (mailer, letter) = (sink.mailer(), any_letter());
    let refused = mailer.send(&letter).await;
    assert!(is_temporary(&refused), "{refused:?}");
    assert!(whole(&refused.unwrap_err()).contains("451"), "the reply is in the chain of causes");
    assert!(sink.letters().is_empty());
    mailer.send(&letter).await.unwrap();
    assert_eq!(sink.letters().len(), 1);
}

#[tokio::test]
async fn a_reply_5xx_is_final_unless_it_refuses_the_client() {
    for (reply, is_final) in [
        ("550 5.1.1 no such user", true),
        ("552 5.2.2 mailbox full", true),
        ("553 5.1.3 bad address", true),
        ("554 5.7.1 refused", true),
        ("530 5.7.0 authentication required", false),
        ("534 5.7.9 mechanism too weak", false),
        ("535 5.7.8 authentication failed", false),
        ("538 5.7.11 encryption required", false),
        ("421 4.3.2 shutting down", false),
        ("450 4.2.1 busy", false),
    ] {
        let Some(sink) = Sink::start(&["--rcpt", reply]) else { return };
        let outcome = sink.mailer().send(&any_letter()).await;
        assert!(if is_final { is_permanent(&outcome) } else { is_temporary(&outcome) }, "{reply}: {outcome:?}");
        assert!(sink.letters().is_empty());
    }
}

#[tokio::test]
async fn a_connection_that_is_dropped_in_a_letter_is_temporary_and_the_next_one_is_new() {
    let Some(sink) = Sink::start(&["--drop", "2"]) else { return };
    let (mailer, letter) = (sink.mailer(), any_letter());
    for _ in 0..2 {
        let dropped = mailer.send(&letter).await;
        assert!(is_temporary(&dropped), "{dropped:?}");
    }
    mailer.send(&letter).await.unwrap();
    assert_eq!((sink.letters().len(), sink.connections().0), (1, 3));
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_no_more_than_the_time_limit() {
    let Some(sink) = Sink::start(&["--silent"]) else { return };
    let mailer = sink.mailer().with_time_limit(Duration::from_millis(300));
    let letter = any_letter();
    let outcome = tokio::time::timeout(Duration::from_secs(5), mailer.send(&letter)).await.unwrap();
    assert!(is_temporary(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn the_time_limit_is_for_all_commands_together() {
    // Three replies of 0.4 s each: none of them reaches the limit alone.
    let Some(sink) = Sink::start(&["--delay", "0.4"]) else { return };
    let mailer = sink.mailer().with_time_limit(Duration::from_millis(800));
    let outcome = mailer.send(&any_letter()).await;
    assert!(is_temporary(&outcome), "{outcome:?}");

    let mailer = sink.mailer().with_time_limit(Duration::from_secs(20));
    let letter = any_letter();
    mailer.send(&letter).await.unwrap();
    let id = format!("<{}@xn--bcher-kva.example>", letter.id);
    assert!(sink.letters().iter().any(|received| received["headers"]["message-id"] == *id));
}

#[tokio::test]
async fn a_late_reply_to_one_letter_is_never_taken_for_a_reply_to_another() {
    // The reply to the first letter comes after its time limit. With that connection each command of the second letter would get the reply to
    // the command before it, and the refusal of its text would not be read.
    let replies = ["--data-delays", "1,0", "--data", "250 OK|554 5.6.0 refused"];
    let Some(sink) = Sink::start(&replies) else { return };
    let mailer = sink.mailer().with_time_limit(Duration::from_millis(500));
    let late = mailer.send(&any_letter()).await;
    assert!(is_temporary(&late), "{late:?}");
    let refused = mailer.with_time_limit(Duration::from_secs(10)).send(&any_letter()).await;
    assert!(is_permanent(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_temporary() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in [format!("127.0.0.1:{port}"), "no-such-host.invalid".to_owned()] {
        let url = SmtpUrl::parse(&format!("smtp://{host}?tls=none")).unwrap();
        let mailer = SmtpMailer::new(url, composer("Orchard")).unwrap().with_time_limit(Duration::from_secs(5));
        let outcome = mailer.send(&any_letter()).await;
        assert!(is_temporary(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_decoy_is_not_sent() {
    let Some(sink) = Sink::start(&["--count"]) else { return };
    let decoy = auth_core::letters::Letter { to: None, ..any_letter() };
    assert!(is_permanent(&sink.mailer().send(&decoy).await));
}
