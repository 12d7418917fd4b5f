//! The settings of letters.

use auth_mail::MailUrl;

use super::*;

const PROD: [(&str, &str); 3] =
    [("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", "postgres://db.example/auth"), ("AUTH_TOKEN_SECRET", STRONG)];
const FROM: (&str, &str) = ("AUTH_MAIL_FROM", "Orchard <no-reply@example.org>");
const URL: (&str, &str) = ("AUTH_PUBLIC_URL", "https://auth.example.org");
const SMTP: (&str, &str) = ("AUTH_MAIL", "smtps://mailer:hunter2@smtp.example.org");

fn prod(settings: &[(&str, &str)]) -> Result<Config, Problems> {
    load(&[&PROD, settings].concat())
}

fn shown(config: &Config, variable: &str) -> String {
    config.effective().iter().find(|setting| setting.variable == variable).unwrap().value.clone()
}

#[test]
fn development_shows_letters_in_the_log_and_the_other_profiles_send_none() {
    let dev = load(&[("AUTH_LISTEN", "127.0.0.1:8080")]).unwrap();
    assert!(matches!(dev.mail.as_ref().unwrap().url, MailUrl::Log));
    assert_eq!(dev.mail.as_ref().unwrap().folder, PathBuf::from("./data/mail"));
    assert_eq!(shown(&dev, "AUTH_PUBLIC_URL"), "http://localhost:8080");
    assert!(dev.notices.is_empty() && !dev.require_verified_email);
    assert_eq!(dev.languages.iter().map(Language::as_str).collect::<Vec<_>>(), ["en", "ko"]);
    assert!(load(&[("AUTH_ENV", "test")]).unwrap().mail.is_none());
    assert!(load(&[("AUTH_MAIL", "off")]).unwrap().mail.is_none());
    let prod = prod(&[]).unwrap();
    assert!(prod.mail.is_none() && prod.warnings.is_empty());
    assert!(prod.notices[0].contains("AUTH_MAIL") && prod.notices[0].contains("mail_unconfigured"));
}

#[test]
fn production_needs_a_sender_and_a_public_url_where_letters_are_sent() {
    assert_eq!(variables(&prod(&[SMTP]).unwrap_err()), ["AUTH_MAIL_FROM", "AUTH_PUBLIC_URL"]);
    assert_eq!(variables(&prod(&[SMTP, URL]).unwrap_err()), ["AUTH_MAIL_FROM"]);
    assert_eq!(variables(&prod(&[SMTP, FROM]).unwrap_err()), ["AUTH_PUBLIC_URL"]);
    assert!(prod(&[SMTP, FROM, URL]).unwrap().notices.is_empty());
    let own_pages = ("AUTH_LINK_BASE", "https://www.example.org/account");
    assert!(prod(&[SMTP, FROM, own_pages]).unwrap().mail.is_some());
    let log = prod(&[("AUTH_MAIL", "log"), FROM, URL]).unwrap_err();
    assert_eq!(variables(&log), ["AUTH_MAIL"]);
    assert!(log.to_string().contains("must not be log in the prod profile"), "{log}");
}

#[test]
fn a_verified_address_can_be_required_only_where_letters_are_sent() {
    let required = ("AUTH_REQUIRE_VERIFIED_EMAIL", "login");
    assert!(load(&[required]).unwrap().require_verified_email);
    for settings in [&[required, ("AUTH_MAIL", "off")][..], &[required, ("AUTH_ENV", "test")]] {
        let problems = load(settings).unwrap_err();
        assert_eq!(variables(&problems), ["AUTH_REQUIRE_VERIFIED_EMAIL"]);
        assert!(problems.to_string().contains("AUTH_MAIL"), "{problems}");
    }
    // A mailer that is misspelt is one error, not two.
    assert_eq!(variables(&load(&[required, ("AUTH_MAIL", "gopher://h")]).unwrap_err()), ["AUTH_MAIL"]);
}

#[test]
fn every_value_is_checked_and_the_error_names_its_rule() {
    for (variable, wrong, rule) in [
        ("AUTH_MAIL", "sendmail", "must be smtp://"),
        ("AUTH_MAIL", "smtp://h?tls=no", "tls"),
        ("AUTH_MAIL", "smtps://h?ca=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("AUTH_MAIL_FROM", "nobody", "the address of the sender"),
        ("AUTH_MAIL_FROM", "ceo@example.org <a@example.org>", "the name of the sender"),
        ("AUTH_MAIL_NAME", "Or\u{7}chard", "the name of the product"),
        ("AUTH_PUBLIC_URL", "http://auth.example.org", "must begin with https://"),
        ("AUTH_LINK_BASE", "https://www.example.org/?a=b", "no query"),
        ("AUTH_REQUIRE_VERIFIED_EMAIL", "on", "must be off or login"),
        ("AUTH_MAIL_TEMPLATES", "/nowhere", "/nowhere"),
    ] {
        let problems = load(&[(variable, wrong)]).unwrap_err();
        assert_eq!(variables(&problems), [variable], "{wrong}");
        assert!(problems.to_string().contains(rule), "{wrong}: {problems}");
    }
}

#[test]
fn the_password_of_the_mail_server_may_be_in_a_file_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mail");
    std::fs::write(&file, format!("{}\n", SMTP.1)).unwrap();
    let from_file = prod(&[("AUTH_MAIL_FILE", file.to_str().unwrap()), FROM, URL]).unwrap();
    for config in [from_file, prod(&[SMTP, FROM, URL]).unwrap()] {
        assert_eq!(shown(&config, "AUTH_MAIL"), "smtps://mailer@smtp.example.org:465");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
    let problems = load(&[("AUTH_MAIL", "smtp://mailer:hunter2@h?tls=none")]).unwrap_err();
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
}

#[test]
fn a_broken_template_is_found_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ko")).unwrap();
    std::fs::write(folder.path().join("ko/reset_password.txt"), "{{ lnk }}\n").unwrap();
    let problems = load(&[("AUTH_MAIL_TEMPLATES", folder.path().to_str().unwrap())]).unwrap_err();
    assert_eq!(variables(&problems), ["AUTH_MAIL_TEMPLATES"]);
    assert!(problems.to_string().contains("ko/reset_password.txt"), "{problems}");
}
