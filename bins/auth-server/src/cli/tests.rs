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
fn every_command_is_accepted() {
    for line in [
        "migrate up",
        "migrate down --steps 2",
        "migrate down --yes",
        "migrate status",
        "user create --email a@b.example --username a --admin",
        "user list",
        "user promote a@b.example",
        "user demote a@b.example",
        "user role add a@b.example editor",
        "user role remove 01935a1e-8c00-7def-8123-456789abcdef read-only",
        "user disable a@b.example",
        "user enable a@b.example",
        "user logout-everywhere 01935a1e-8c00-7def-8123-456789abcdef",
        "user set-password a@b.example",
        "user set-password a@b.example --stdin",
        "user list --json",
        "user find ada",
        "user find a@b.example --json",
        "user verify-email a@b.example",
        "user unlock a@b.example",
        "user delete a@b.example --yes",
        "session list a@b.example",
        "session list a@b.example --json",
        "session end a@b.example",
        "session end 01935a1e-8c00-7def-8123-456789abcdef 2f0d4c1b-9e57-4a60-8d3c-1b2a39485766",
        "session end-all",
        "token purge",
        "mail test a@b.example",
        "mail test a@b.example --language ko",
        "mail queue --json",
        "completions zsh",
        "migrate status --json",
        "key retire",
        "key list",
        "key list --json",
        "key rotate",
        "key revoke NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs --yes",
        "key revoke --yes -rbJkWhdIZ1lxhXmuFYuB5PlBWg2EUgIIdEM8x6ANuU",
        "key reseal",
        "openapi",
        "config check --env prod",
        "config show",
        "config docs",
        "healthcheck",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn a_command_line_that_is_not_valid_is_a_usage_error() {
    for line in [
        "session list",
        "session end a@b.example no-id",
        "completions tcsh",
        "mail test",
        "fly",
        "migrate",
        "user promote",
        "user role a@b.example editor",
        "user role add a@b.example",
        "user role add a@b.example Editor",
        "user create --email a@b.example",
        "--password x",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn flags_become_settings() {
    let cli = parse("--listen 127.0.0.1:0 config show --docs off").unwrap();
    let flags = cli.settings.sources(None).flags;
    assert_eq!(flags["AUTH_LISTEN"], "127.0.0.1:0");
    assert_eq!(flags["AUTH_DOCS"], "off");
    assert_eq!(flags.len(), 2);
}

#[test]
fn the_document_is_printed_without_a_configuration() {
    let mut printed = Vec::new();
    parse("openapi").unwrap().run(&Signals::default(), &mut printed).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(document["paths"]["/auth/login"]["post"]["operationId"], "login");
}

#[test]
fn the_page_of_settings_is_printed_without_a_configuration() {
    let mut printed = Vec::new();
    parse("config docs --env none-of-the-profiles").unwrap().run(&Signals::default(), &mut printed).unwrap();
    assert_eq!(String::from_utf8(printed).unwrap(), crate::config::settings_page());
}
