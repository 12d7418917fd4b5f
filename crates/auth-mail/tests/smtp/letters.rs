//! What a reader receives.

use std::collections::HashMap;

use auth_core::Username;
use auth_core::letters::{Language, LetterId, LetterKind, Mailer as _};
use auth_mail::{Deliver as _, SmtpMailer};
use serde_json::Value;

use super::sink::Sink;
use super::{any_letter, composer, is_permanent, letter, noon, whole};

/// The headers that a letter has, and no others.
const HEADERS: [&str; 8] =
    ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"];

const NO_OPTIONS: &[&str] = &[];

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

fn header_names(letter: &Value) -> Vec<&str> {
    let mut names = strings(&letter["header_names"]);
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_letter_arrives_in_both_languages_with_all_that_its_reader_needs() {
    let Some(sink) = Sink::start(NO_OPTIONS) else { return };
    let (mailer, composer) = (sink.mailer(), composer("Orchard"));
    let username = Username::parse("Ada Lovelace").unwrap();
    for language in ["en", "ko"] {
        for kind in LetterKind::ALL {
            let sent = letter(kind, "Ada@Example.org", &username, language);
            mailer.send(&sent).await.unwrap();
            let received = sink.letters().pop().unwrap();
            let context = format!("{language} {kind:?}: {received:#}");

            assert_eq!(header_names(&received), HEADERS, "{context}");
            let headers = &received["headers"];
            assert_eq!(headers["from"], "Orchard <no-reply@xn--bcher-kva.example>");
            assert_eq!(headers["to"], "Ada@example.org", "{context}");
            assert_eq!(received["to_name"], "", "{context}");
            assert_eq!(headers["message-id"], format!("<{}@xn--bcher-kva.example>", sent.id));
            assert_eq!(headers["date"], "Fri, 27 Nov 2026 12:00:00 +0000");
            assert_eq!(headers["auto-submitted"], "auto-generated");
            assert_eq!(headers["subject"], composer.compose(&sent).unwrap().subject());
            assert_eq!(received["mail_from"], "no-reply@xn--bcher-kva.example");
            assert_eq!(strings(&received["rcpt_tos"]), ["Ada@example.org"]);
            assert_eq!(received["hello"], "xn--bcher-kva.example");
            assert_eq!(received["type"], "multipart/alternative");
            assert_eq!(strings(&received["part_types"]), ["text/plain", "text/html"]);

            let (text, page) = (received["text"].as_str().unwrap(), received["html_text"].as_str().unwrap());
            let account = if language == "en" { "Account: Ada Lovelace" } else { "계정 이름: Ada Lovelace" };
            let advice = if language == "en" { "you can ignore this message" } else { "무시하셔도 됩니다" };
            for part in [text, page] {
                assert!(part.contains(account) && part.contains(advice) && part.contains("Orchard"), "{context}");
            }
            for tag in strings(&received["tags"]) {
                assert!(!["img", "script", "link", "style", "table", "iframe", "form"].contains(&tag), "{context}");
            }
            assert!(!received["attributes"].to_string().contains("src"), "{context}");

            let Some(secret) = &sent.secret else {
                assert!(!text.contains("http") && strings(&received["links"]).is_empty(), "{context}");
                continue;
            };
            let page_name = match kind {
                LetterKind::VerifyEmail => "verify-email",
                LetterKind::ResetPassword => "reset-password",
                LetterKind::ChangeEmail => "change-email",
                _ => "undo-email-change",
            };
            let token = secret.token.expose_text(str::to_owned);
            let link = format!("https://auth.example/account/{page_name}?token={token}");
            assert_eq!(text.lines().filter(|line| *line == link).count(), 1, "{context}");
            assert_eq!(strings(&received["links"]), [&link, &link], "{context}");
            let until = if language == "en" {
                "until 27 November 2026, 13:00 UTC"
            } else {
                "2026년 11월 27일 13:00(UTC, 협정 세계시)까지"
            };
            assert!(text.contains(until) && page.contains(until), "{context}");
            match &secret.code {
                Some(code) => {
                    let code = code.expose_grouped();
                    assert_eq!(text.lines().filter(|line| *line == code).count(), 1, "{context}");
                    assert!(page.contains(&code), "{context}");
                }
                None => assert!(!text.contains("code") && !text.contains("코드"), "{context}"),
            }
        }
    }
}

#[tokio::test]
async fn no_name_of_a_user_or_product_adds_a_header_a_recipient_a_tag_or_a_link() {
    let Some(sink) = Sink::start(NO_OPTIONS) else { return };
    let products = [
        "\"><script>alert(1)</script>",
        "Bcc: all@example.org",
        "=?utf-8?q?=0D=0ABcc:_all@example.org?=",
        "a {{ link }} {% raw %} ' \" <b>",
        "한국어 제품 이름은 길어서 머리글에서 여러 줄로 나뉘어야 하고, 그래도 한 줄로 읽혀야 합니다.",
    ];
    let names = [
        "<img src=x onerror=alert(1)>",
        "Win at https://evil.example/now",
        "x\u{2028}Bcc: all@example.org",
        "\u{202e}gro.elpmaxe@lla",
        "{{ code }} {% include 'ko/time.txt' %}",
    ];
    for product in products {
        let mailer = SmtpMailer::new(sink.url(""), composer(product)).unwrap();
        for name in names {
            for kind in [LetterKind::VerifyEmail, LetterKind::EmailInUse] {
                let username = Username::from_stored(name).unwrap();
                let sent = letter(kind, "ada@example.org", &username, "en");
                mailer.send(&sent).await.unwrap();
                let received = sink.letters().pop().unwrap();
                let context = format!("{product:?} {name:?} {received:#}");

                assert_eq!(header_names(&received), HEADERS, "{context}");
                assert_eq!(strings(&received["rcpt_tos"]), ["ada@example.org"], "{context}");
                assert_eq!(received["headers"]["to"], "ada@example.org", "{context}");
                assert_eq!(received["from_name"], "Orchard", "{context}");
                let subject = received["headers"]["subject"].as_str().unwrap();
                // A reader must not decode what looks encoded in a name.
                assert!(subject.ends_with(product), "{context}");
                for tag in strings(&received["tags"]) {
                    assert!(!["img", "script", "b"].contains(&tag), "{context}");
                }
                let links = if kind == LetterKind::VerifyEmail { 2 } else { 0 };
                let found = strings(&received["links"]);
                assert!(found.len() == links && found.iter().all(|it| it.starts_with("https://auth.example/")));
                for part in ["text", "html"] {
                    let part = received[part].as_str().unwrap();
                    assert!(!part.contains("evil.example") && !part.contains("https://evil"), "{context}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_second_attempt_is_the_same_message() {
    let Some(sink) = Sink::start(NO_OPTIONS) else { return };
    let (letter, mailer) = (any_letter(), sink.mailer());
    mailer.send(&letter).await.unwrap();
    sink.mailer().send(&letter).await.unwrap();
    let letters = sink.letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0]["raw"], letters[1]["raw"]);
}

#[tokio::test]
async fn an_address_in_other_scripts_is_sent_as_its_server_takes_it() {
    let username = Username::parse("ada").unwrap();
    let with_domain = letter(LetterKind::VerifyEmail, "Ada@Bücher.example", &username, "en");
    let with_local = letter(LetterKind::VerifyEmail, "아다@example.org", &username, "ko");

    let Some(sink) = Sink::start(&["--no-utf8"]) else { return };
    let mailer = sink.mailer();
    mailer.send(&with_domain).await.unwrap();
    let refused = mailer.send(&with_local).await;
    assert!(is_permanent(&refused) && whole(&refused.unwrap_err()).contains("SMTPUTF8"));
    mailer.send(&with_domain).await.unwrap();
    let letters = sink.letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(strings(&letters[0]["rcpt_tos"]), ["Ada@xn--bcher-kva.example"]);
    assert_eq!(sink.connections().0, 1, "the connection is good after a letter that it cannot take");

    let sink = Sink::start(NO_OPTIONS).unwrap();
    sink.mailer().send(&with_local).await.unwrap();
    let received = sink.letters().pop().unwrap();
    assert_eq!(strings(&received["rcpt_tos"]), ["아다@example.org"]);
    assert_eq!(received["headers"]["to"], "아다@example.org");
}

#[tokio::test]
async fn a_test_letter_arrives_and_is_about_no_account() {
    let Some(sink) = Sink::start(NO_OPTIONS) else { return };
    let to = "ada@example.org".parse().unwrap();
    for (language, subject) in [("en-GB", "Test message from Orchard"), ("ko", "[Orchard] 테스트 메일")] {
        let language = Language::parse(language).unwrap();
        let test = composer("Orchard").test(LetterId::generate().unwrap(), &to, &language, noon()).unwrap();
        sink.mailer().deliver(&test).await.unwrap();
        let received = sink.letters().pop().unwrap();
        assert_eq!(received["headers"]["subject"], subject);
        assert!(!received["text"].as_str().unwrap().contains("http"));
    }
}

#[test]
fn no_two_kinds_have_the_same_words() {
    let username = Username::parse("ada").unwrap();
    let composer = composer("Orchard");
    let mut seen = HashMap::new();
    for language in ["en", "ko"] {
        for kind in LetterKind::ALL {
            let composed = composer.compose(&letter(kind, "ada@example.org", &username, language)).unwrap();
            assert_eq!(seen.insert(composed.subject().to_owned(), kind), None);
            assert_eq!(seen.insert(composed.text().lines().nth(2).unwrap().to_owned(), kind), None);
        }
    }
}
