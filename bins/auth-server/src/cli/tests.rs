use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("auth-server").chain(line.split_whitespace()))
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_command_the_server_starts() {
    assert!(parse("").unwrap().command.is_none());
    assert!(matches!(parse("serve --listen 127.0.0.1:0").unwrap().command, Some(Command::Serve)));
}

#[test]
fn every_command_is_understood() {
    for line in [
        "migrate up",
        "migrate down --steps 2",
        "migrate down --yes",
        "migrate status",
        "user create --email a@b.example --username a --admin",
        "user list",
        "user promote a@b.example",
        "user demote a@b.example",
        "user disable a@b.example",
        "user enable a@b.example",
        "user logout-everywhere 01935a1e-8c00-7def-8123-456789abcdef",
        "user set-password a@b.example",
        "user set-password a@b.example --stdin",
        "token purge",
        "key retire",
        "openapi",
        "config check --env prod",
        "config show",
        "healthcheck",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for line in ["fly", "migrate", "user promote", "user create --email a@b.example", "--password x"] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn flags_become_settings() {
    let cli = parse("--listen 127.0.0.1:0 config show --docs off").unwrap();
    let flags = cli.settings.sources().flags;
    assert_eq!(flags[&Setting::Listen], "127.0.0.1:0");
    assert_eq!(flags[&Setting::Docs], "off");
    assert_eq!(flags.len(), 2);
}

#[test]
fn the_shown_configuration_holds_no_secret() {
    let secret = "q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4Tx=";
    let env = BTreeMap::from([("AUTH_TOKEN_SECRET".to_owned(), secret.to_owned())]);
    let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
    let mut shown = Vec::new();
    ConfigCommand::Show.run(&config, &mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("AUTH_TOKEN_SECRET = <redacted>  # environment"), "{shown}");
    assert!(!shown.contains(secret));
}

#[test]
fn a_password_is_the_first_line_without_its_end() {
    for (input, password) in [("a b \nrest\n", "a b "), ("x\r\n", "x"), ("no end", "no end"), ("", "")] {
        assert_eq!(*first_line(&mut input.as_bytes()).unwrap(), password, "{input:?}");
    }
}

#[test]
fn the_document_is_printed_without_a_configuration() {
    let mut printed = Vec::new();
    parse("openapi").unwrap().run(&Signals::default(), &mut printed).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(document["paths"]["/auth/login"]["post"]["operationId"], "login");
}
