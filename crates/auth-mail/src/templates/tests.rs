use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    folder
}

fn error_of(files: &[(&str, &str)]) -> String {
    Templates::load(folder(files).path()).unwrap_err().to_string()
}

fn data() -> LetterData<'static> {
    LetterData {
        product: "Orchard",
        address: "ada@example.org",
        username: Some("ada"),
        link: Some("https://auth.example/reset-password?token=rao_x"),
        code: Some("ABCD-2345"),
        expires_at: Some(time::OffsetDateTime::UNIX_EPOCH),
    }
}

fn language(tag: &str) -> Language {
    Language::parse(tag).unwrap()
}

#[test]
fn a_reader_gets_the_exact_language_or_its_primary_one_or_english() {
    let mut german = Vec::new();
    for letter in letter_names() {
        german.push((format!("de-at/{letter}.subject"), "Betreff".to_owned()));
        german.push((format!("de-at/{letter}.txt"), "Text\n{{ link }}".to_owned()));
        german.push((format!("de-at/{letter}.html"), "<p>{{ link }}".to_owned()));
    }
    let german: Vec<_> = german.iter().map(|(name, source)| (name.as_str(), source.as_str())).collect();
    let templates = Templates::load(folder(&german).path()).unwrap();
    for (wanted, chosen) in [
        ("de-at", "de-at"),
        ("de", "en"),
        ("de-ch", "en"),
        ("ko-kr", "ko"),
        ("ko", "ko"),
        ("en-gb", "en"),
        ("fr", "en"),
    ] {
        assert_eq!(templates.language_for(&language(wanted)), language(chosen), "{wanted}");
    }
    let words = templates.render("reset_password", &language("de-at"), &data()).unwrap();
    assert_eq!((words.subject.as_str(), words.text.lines().next()), ("Betreff", Some("Text")));
}

#[test]
fn a_file_of_the_operator_takes_the_place_of_one_built_in_file() {
    let folder = folder(&[
        ("ko/reset_password.subject", "{{ product }} 새 비밀번호"),
        (
            "layout.html",
            "<html lang=\"{{ language }}\">{% include \"_logo.html\" %}<a href=\"{{ link }}\">{{ username }}</a>",
        ),
        ("_logo.html", "<b>logo</b>"),
        (".hidden/nonsense", "{{"),
    ]);
    let templates = Templates::load(folder.path()).unwrap();
    let built_in = Templates::built_in().unwrap();
    let (words, before) = [&templates, &built_in]
        .map(|templates| templates.render("reset_password", &language("ko"), &data()).unwrap())
        .into();
    assert_eq!(words.subject, "Orchard 새 비밀번호");
    assert!(words.html.starts_with("<html lang=\"ko\"><b>logo</b><a href="), "{}", words.html);
    assert_eq!(words.text, before.text);
    let english = |templates: &Templates| templates.render("reset_password", &language("en"), &data()).unwrap().subject;
    assert_eq!(english(&templates), english(&built_in));
}

#[test]
fn a_broken_template_is_an_error_with_file_line_and_reason() {
    for (file, source, error) in [
        ("en/test.txt", "one\n{% if %}", "en/test.txt, line 2: syntax error: unexpected end of block"),
        ("ko/verify_email.html", "one\ntwo\n{{ lnk }}", "ko/verify_email.html, line 3: undefined value: "),
        ("en/verify_email.txt", "{{ link | shorten }}", "en/verify_email.txt, line 1: unknown filter: "),
        ("layout.txt", "{{ link }}\n{{ links }}", "layout.txt, line 2: undefined value: "),
        ("ko/layout.txt", "{% extends \"layuot.txt\" %}", "ko/layout.txt, line 1: template not found: "),
        (
            "en/time.txt",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "en/time.txt, line 1: engine ran out of fuel",
        ),
        (
            "en/reset_password.txt",
            "Go to {{ link }} now",
            "en/reset_password.txt: no line has the link, and nothing else",
        ),
        ("en/reset_password.html", "<p>Hello", "en/reset_password.html: the link is missing"),
        ("en/reset_password.subject", " \n ", "en/reset_password.subject: the subject is empty"),
        ("en/test.txt", "", "en/test.txt: the text is empty"),
        ("ko/test.html", "\n", "ko/test.html: the text is empty"),
    ] {
        let found = error_of(&[(file, source)]);
        assert!(found.starts_with(error), "{found:?} does not begin with {error:?}");
    }
}

#[test]
fn a_subject_has_nothing_of_a_user_and_no_secret() {
    for variable in ["username", "address", "link", "code", "expires"] {
        let found = error_of(&[("en/verify_email.subject", &format!("Hello {{{{ {variable} }}}}"))]);
        assert!(found.starts_with("en/verify_email.subject, line 1: undefined value"), "{found}");
    }
}

#[test]
fn a_file_that_no_letter_uses_is_an_error() {
    for file in ["ko/reset-password.txt", "ko/verify_email.htm", "en/readme", "base.html", "en/verify_email.text"] {
        assert!(error_of(&[(file, "")]).starts_with(&format!("{file}: no letter uses a file of this name")), "{file}");
    }
    let found = error_of(&[("de/test.txt", "Text")]);
    assert!(found.starts_with("de/verify_email.subject: the file is missing"), "{found}");
    assert!(error_of(&[("de_AT/test.txt", "")]).starts_with("de_AT: a language tag has"));
    assert!(error_of(&[("pt-BR/test.txt", "")]).contains("in lower case: pt-br"));
    assert!(error_of(&[("en/verify_email.txt/x", "")]).starts_with("en/verify_email.txt: the file cannot be read"));
    let missing = Templates::load(Path::new("/no/such/folder")).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/folder: the folder cannot be read"), "{missing}");
}

#[test]
fn values_are_escaped_in_html_and_names_become_no_links() {
    let templates = Templates::built_in().unwrap();
    let hostile = LetterData {
        product: "<i>&\"'",
        username: Some("a <b> at www.evil.example https://evil.example/x me@evil.example"),
        ..data()
    };
    let words = templates.render("verify_email", &language("en"), &hostile).unwrap();
    assert!(words.html.contains("&lt;i&gt;&amp;&quot;&#x27;") && !words.html.contains("<i>"), "{}", words.html);
    assert!(words.html.contains("a &lt;b&gt; at"));
    for part in [&words.html, &words.text] {
        assert!(
            !part.contains("evil.example") && !part.contains("https://evil") && !part.contains("me@evil"),
            "{part}"
        );
    }
    assert_eq!(words.subject, "Confirm your email address for <i>&\"'");
}

#[test]
fn a_subject_is_one_line_and_a_text_has_no_gaps() {
    assert_eq!(one_line(" a\r\n b\u{2028}c\u{85}d\0e\n"), "a b c d e");
    assert_eq!(without_gaps("\n\na  \n\n\n \nb\nc\n\n"), "a\n\nb\nc\n");
}

#[test]
fn an_error_of_a_letter_shows_none_of_its_secrets() {
    // The check has no product of this name, so it does not see that the template is broken.
    let source = "{% if product == \"Orchard\" %}{{ code.x.y }}{% endif %}\n{{ link }}";
    let templates = Templates::load(folder(&[("en/verify_email.txt", source)]).path()).unwrap();
    let error = templates.render("verify_email", &language("en"), &data()).unwrap_err();
    let shown = format!("{error} {error:?} {error:#?}");
    assert!(shown.contains("en/verify_email.txt"), "{shown}");
    assert!(!shown.contains("ABCD") && !shown.contains("rao_"), "{shown}");
    assert_eq!(format!("{templates:?}"), "Templates { languages: {Language(\"en\"), Language(\"ko\")}, .. }");
}
