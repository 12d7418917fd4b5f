//! TLS and authentication.

use auth_core::letters::{Mailer as _, SendError};
use auth_mail::{SmtpMailer, SmtpSetupError, SmtpUrl};

use super::certificate::Certificate;
use super::sink::Sink;
use super::{any_letter, composer, is_temporary, whole};

/// Sends a letter to the server, by a URL with `HOST` in the place of host and port.
async fn send(sink: &Sink, url: &str) -> Result<(), SendError> {
    let url = SmtpUrl::parse(&url.replace("HOST", &format!("127.0.0.1:{}", sink.port()))).unwrap();
    SmtpMailer::new(url, composer("Orchard")).unwrap().send(&any_letter()).await
}

#[tokio::test]
async fn a_letter_goes_over_starttls_to_a_server_whose_certificate_is_trusted() {
    let Some(certificate) = Certificate::of("IP:127.0.0.1") else { return };
    let Some(sink) = Sink::start(&certificate.options()) else { return };
    send(&sink, &format!("smtp://HOST?ca={}", certificate.path().display())).await.unwrap();
    let letters = sink.letters();
    assert!(letters.len() == 1 && letters[0]["encrypted"] == true, "{letters:?}");
}

#[tokio::test]
async fn a_letter_goes_over_implicit_tls() {
    let Some(certificate) = Certificate::of("IP:127.0.0.1") else { return };
    let Some(sink) = Sink::start(&[certificate.options(), vec!["--implicit".to_owned()]].concat()) else { return };
    send(&sink, &format!("smtps://HOST?ca={}", certificate.path().display())).await.unwrap();
    assert_eq!(sink.letters().len(), 1);
    let untrusted = send(&sink, "smtps://HOST").await;
    assert!(is_temporary(&untrusted), "{untrusted:?}");
    assert_eq!(sink.letters().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_with_a_wrong_certificate() {
    let Some(certificate) = Certificate::of("IP:127.0.0.1") else { return };
    let (another, other_name) =
        (Certificate::of("IP:127.0.0.1").unwrap(), Certificate::of("DNS:mail.example").unwrap());
    for (shown, trusted) in [
        (&certificate, Some(&another)),
        // The certificates that browsers trust.
        (&certificate, None),
        (&other_name, Some(&other_name)),
    ] {
        let Some(sink) = Sink::start(&shown.options()) else { return };
        let ca = trusted.map_or(String::new(), |trusted| format!("ca={}", trusted.path().display()));
        for tls in ["required", "opportunistic"] {
            let outcome = send(&sink, &format!("smtp://HOST?tls={tls}&{ca}")).await;
            assert!(is_temporary(&outcome), "{tls}: {outcome:?}");
            assert!(whole(&outcome.unwrap_err()).contains("certificate"));
        }
        assert!(sink.letters().is_empty());
    }
}

#[tokio::test]
async fn without_an_offer_of_starttls_only_those_who_asked_for_it_send_plainly() {
    let Some(sink) = Sink::start(&["--delay", "0"]) else { return };
    let outcome = send(&sink, "smtp://HOST").await;
    assert!(is_temporary(&outcome), "{outcome:?}");
    assert!(whole(&outcome.unwrap_err()).contains("STARTTLS"));
    assert!(sink.letters().is_empty());
    for tls in ["opportunistic", "none"] {
        send(&sink, &format!("smtp://HOST?tls={tls}")).await.unwrap();
    }
    let letters = sink.letters();
    assert!(letters.len() == 2 && letters.iter().all(|letter| letter["encrypted"] == false), "{letters:?}");
}

#[tokio::test]
async fn a_server_that_wants_a_password_gets_it_over_tls() {
    let Some(certificate) = Certificate::of("IP:127.0.0.1") else { return };
    let options = [certificate.options(), vec!["--password".to_owned(), "pä@ss:word".to_owned()]].concat();
    let Some(sink) = Sink::start(&options) else { return };
    let ca = certificate.path().display().to_string();
    send(&sink, &format!("smtp://mailer:p%C3%A4%40ss%3Aword@HOST?ca={ca}")).await.unwrap();
    assert_eq!(sink.letters()[0]["user"], "mailer");
    for (user, reply) in [("mailer:wr0ng-passw0rd@", "535"), ("", "530")] {
        let outcome = send(&sink, &format!("smtp://{user}HOST?ca={ca}")).await;
        assert!(is_temporary(&outcome), "{outcome:?}");
        let text = whole(&outcome.unwrap_err());
        assert!(text.contains(reply) && !text.contains("wr0ng"), "{text}");
    }
    assert_eq!(sink.letters().len(), 1);
}

#[tokio::test]
async fn a_password_goes_without_tls_to_this_machine_only() {
    let Some(sink) = Sink::start(&["--password", "secret"]) else { return };
    send(&sink, "smtp://mailer:secret@HOST?tls=none").await.unwrap();
    assert_eq!(sink.letters()[0]["user"], "mailer");
}

#[test]
fn certificates_that_cannot_be_read_are_found_before_the_first_letter() {
    let folder = tempfile::TempDir::new().unwrap();
    let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
    std::fs::write(&empty, "no certificate").unwrap();
    let setup = |file: &std::path::Path| {
        let url = SmtpUrl::parse(&format!("smtp://mail.example?ca={}", file.display())).unwrap();
        SmtpMailer::new(url, composer("Orchard")).unwrap_err()
    };
    assert!(matches!(setup(&missing), SmtpSetupError::ReadCa(file, _) if file == missing));
    assert!(matches!(setup(&empty), SmtpSetupError::Ca(file) if file == empty));
}
