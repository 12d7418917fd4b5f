use std::path::Path;

use super::*;

const SECRET: &str = "hunter2";

fn parsed(url: &str) -> DatabaseUrl {
    DatabaseUrl::parse_with_env(url, |_| None).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// The rule that the URL breaks; it never repeats a secret.
fn rule(url: &str) -> String {
    match DatabaseUrl::parse_with_env(url, |_| None) {
        Err(ConnectError::InvalidUrl(rule)) => {
            let told = format!("{rule} {rule:?}");
            assert!(!told.contains(SECRET), "{told}");
            rule.to_string()
        }
        other => panic!("{url}: {other:?}"),
    }
}

/// What the driver is told, in the form of a URL of its own.
fn told(url: &str) -> String {
    use sea_orm::sqlx::ConnectOptions as _;
    match parsed(url).0 {
        Target::Sqlite(sqlite) => sqlite.options().unwrap().to_url_lossy().to_string(),
        Target::Postgres(postgres) => postgres.options()[0].to_url_lossy().to_string(),
        Target::MySql(mysql) => mysql.options().to_url_lossy().to_string(),
    }
}

#[test]
fn every_spelling_of_memory_is_memory() {
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:%3Amemory%3A",
        "sqlite://%3amemory%3a",
        "sqlite::memory:?cache=shared",
        "sqlite::memory:?mode=rwc",
        "sqlite:?mode=memory",
        "sqlite://?mode=memory",
        "sqlite://auth.db?mode=memory",
        "sqlite://auth.db?mode=MEMORY",
        "sqlite://auth.db?mode=%6demory",
        "sqlite://auth.db?%6dode=memory",
        "sqlite:///var/lib/auth.db?cache=private&mode=memory",
        "sqlite:file::memory:",
        "sqlite:file:%3Amemory:",
        "sqlite:file:auth.db?mode=memory&cache=shared",
    ] {
        let url = parsed(url);
        assert!(url.is_in_memory(), "{url}");
        assert_eq!(url.to_string(), "sqlite::memory:");
    }
    assert!(parsed("sqlite::memory:").is_in_memory() && DatabaseUrl::sqlite_in_memory().is_in_memory());
}

#[test]
fn what_sqlite_would_read_in_a_second_meaning_is_refused() {
    for url in
        ["sqlite:", "sqlite://", "sqlite:?mode=rwc", "sqlite:file:", "sqlite:file:?cache=shared", "sqlite://file:"]
    {
        assert_eq!(rule(url), "it names no file", "{url}");
    }
    for url in [
        "sqlite:file%3Aauth.db",
        "sqlite:file%3A%3Amemory%3A",
        "sqlite:%66ile:auth.db%3Fmode=memory",
        "sqlite:file:auth.db%3Fmode=memory",
        "sqlite:file:%3Amemory:%3Fcache=shared",
        "sqlite:file:file:auth.db",
        "sqlite:file:a%2562.db",
        "sqlite:file://host/auth.db",
        "sqlite://auth.db#fragment",
        "sqlite://auth.db?mode=rwc#fragment",
        "sqlite://auth.db%00.txt",
        "sqlite://%FF.db",
        "sqlite://auth.db?vfs=memdb",
        "sqlite:///auth.db?vfs=memdb&mode=rwc",
        "sqlite://auth.db?mode=rwx",
        "sqlite://auth.db?mode=rw&mode=memory",
        "sqlite://auth.db?cache=hunter2",
        "sqlite://auth.db?immutable=yes",
        "sqlite://auth.db?key=hunter2",
        "sqlite://auth.db?nolock=1",
    ] {
        rule(url);
    }
    assert!(rule("sqlite://a.db?mode=hunter2").contains("mode must be one of ro, rw, rwc, memory"));
    assert!(rule("sqlite://a.db?psow=hunter2").contains("psow is not an option of a SQLite URL"));
}

#[test]
fn sqlite_paths_are_plain_paths() {
    for (url, path) in [
        ("sqlite:auth.db", "auth.db"),
        ("sqlite://data/auth.db", "data/auth.db"),
        ("sqlite:///var/auth.db?mode=rwc", "/var/auth.db"),
        ("sqlite:/var/auth.db", "/var/auth.db"),
        ("sqlite://a%20b%3Fc%23d%25e.db", "a b?c#d%e.db"),
        ("sqlite://données/auth.db", "données/auth.db"),
        ("sqlite:file:auth.db?mode=rwc", "auth.db"),
        ("sqlite:file:/var/auth.db", "/var/auth.db"),
        ("sqlite:file:///var/auth.db", "/var/auth.db"),
        ("sqlite:file://localhost/var/auth.db", "/var/auth.db"),
        ("sqlite:./file:auth.db", "./file:auth.db"),
    ] {
        let url = parsed(url);
        let Target::Sqlite(sqlite) = &url.0 else { panic!("{url}") };
        assert_eq!(sqlite.options().unwrap().get_filename(), Path::new(path), "{url}");
        assert!(!url.is_in_memory() && !url.is_read_only() && !url.has_custom_vfs());
        assert_eq!(parsed(&url.to_string()).to_string(), url.to_string(), "what is shown reads back");
    }
    for (path, told) in [("file:x?mode=memory/auth.db", "./file:x?mode=memory/auth.db"), (":memory:", "./:memory:")] {
        let Target::Sqlite(sqlite) = DatabaseUrl::sqlite_file(path).0 else { panic!("{path}") };
        assert!(!sqlite.is_in_memory());
        assert_eq!(sqlite.options().unwrap().get_filename(), Path::new(told));
    }
    assert!(parsed("sqlite://a.db?mode=ro").is_read_only() && parsed("sqlite://a.db?immutable=1").is_read_only());
    assert!(parsed("sqlite://a.db?vfs=unix-none").has_custom_vfs());
    assert!(
        told("sqlite://a.db?mode=rwc&cache=shared&vfs=unix-excl").ends_with("a.db?mode=rwc&cache=shared&vfs=unix-excl")
    );
}

#[test]
fn server_urls_reach_the_driver_as_they_were_meant() {
    for (url, expected) in [
        ("postgres://u:p@h/d", "postgres://u:p@h:5432/d?sslmode=prefer&"),
        ("postgresql://u@[::1]:6000/d", "postgres://u@::1:6000/d"),
        ("postgres://u:p%40%3A%2F%3F%23@h/d", "postgres://u:p%40%3A%2F%3F%23@h:5432/d"),
        ("postgres://u:a@b:c@h/d", "postgres://u:a%40b%3Ac@h:5432/d"),
        ("postgres://u@h/d?port=7&sslmode=REQUIRE", "postgres://u@h:7/d?sslmode=require&"),
        ("postgres:///d?host=h&user=u&password=p%26q&port=7", "postgres://u:p%26q@h:7/d"),
        ("postgres://u@h?dbname=d", "postgres://u@h:5432/d"),
        ("postgres:///d?user=u&hostaddr=10.0.0.1", "postgres://u@10.0.0.1:5432/d"),
        ("postgres://u@h/d?sslmode=allow", "postgres://u@h:5432/d?sslmode=prefer&"),
        ("postgres://u@h/d?sslmode=verify-full", "postgres://u@h:5432/d?sslmode=verify-full&"),
        ("postgres://u@h/d?sslrootcert=system", "postgres://u@h:5432/d?sslmode=verify-full&"),
        (
            "postgres://u@h/d?sslmode=require&sslrootcert=ca",
            "postgres://u@h:5432/d?sslmode=verify-ca&sslrootcert=file%3A+ca",
        ),
        ("postgres://u@h/d?ssl-root-cert=ca", "postgres://u@h:5432/d?sslmode=verify-ca&sslrootcert=file%3A+ca"),
        ("postgres://u@h/d?sslrootcert=ca&sslmode=verify-full", "postgres://u@h:5432/d?sslmode=verify-full&sslroot"),
        ("postgres://u@h/d?target_session_attrs=read-write", "postgres://u@h:5432/d?sslmode=prefer&"),
        ("mysql://u:p@h/d", "mysql://u:p@h:3306/d?ssl-mode=PREFERRED&charset=utf8mb4"),
        ("mariadb://u@[::1]/d", "mysql://u@::1:3306/d"),
        ("mysql://u@h/d?sslmode=required", "mysql://u@h:3306/d?ssl-mode=REQUIRED&"),
        ("mysql://u@h/d?ssl-mode=REQUIRED&ssl-ca=ca", "mysql://u@h:3306/d?ssl-mode=VERIFY_CA&ssl-ca=file%3A+ca"),
        ("mysql://u@h/d?ssl-ca=ca", "mysql://u@h:3306/d?ssl-mode=VERIFY_CA&ssl-ca=file%3A+ca"),
        ("mysql://u@h/d?ssl-mode=VERIFY_IDENTITY", "mysql://u@h:3306/d?ssl-mode=VERIFY_IDENTITY&"),
    ] {
        // An address of IPv6 makes no valid URL in the driver's hands, so it is not asked for one.
        if !url.contains("[::1]") {
            let told = told(url);
            assert!(told.starts_with(expected), "{url}: {told}");
        }
    }
    let Target::Postgres(postgres) = parsed("postgres://u@[::1]:6000/d").0 else { panic!() };
    assert_eq!((postgres.options()[0].get_host(), postgres.options()[0].get_port()), ("::1", 6000));
    for (url, expected) in [
        ("postgres://u@a,b:7,[::1]:8/d?target_session_attrs=primary", "a:5432 b:7 ::1:8"),
        ("postgres:///d?user=u&host=a,b&port=7", "a:7 b:7"),
        ("postgres:///d?user=u&host=a,/run/b&port=7,8", "a:7 /run/b:8"),
    ] {
        let Target::Postgres(postgres) = parsed(url).0 else { panic!() };
        let hosts = postgres.options();
        let hosts: Vec<_> = hosts.iter().map(|host| format!("{}:{}", host.get_host(), host.get_port())).collect();
        assert_eq!(hosts.join(" "), expected);
    }
    let Target::MySql(mysql) = parsed("mysql://u@[::1]/d").0 else { panic!() };
    assert_eq!((mysql.options().get_host(), mysql.options().get_port()), ("::1", 3306));
}

#[test]
fn unix_sockets_are_reached_without_encryption() {
    for url in [
        "postgres:///d?host=/var/run/postgresql&user=u&sslmode=verify-full",
        "postgres://u@%2Fvar%2Frun%2Fpostgresql/d",
        "postgres://u@/d?host=/var/run/postgresql",
    ] {
        let Target::Postgres(postgres) = parsed(url).0 else { panic!("{url}") };
        let options = &postgres.options()[0];
        assert_eq!(options.get_host(), "/var/run/postgresql", "{url}");
        assert!(matches!(options.get_ssl_mode(), sea_orm::sqlx::postgres::PgSslMode::Disable), "{url}");
    }
    let Target::MySql(mysql) = parsed("mysql://u@/d?socket=/run/mysqld/mysqld.sock").0 else { panic!() };
    assert_eq!(mysql.options().get_socket().unwrap(), Path::new("/run/mysqld/mysqld.sock"));
}

#[test]
fn settings_of_the_session_are_read_as_postgresql_reads_them() {
    for (options, expected) in [
        ("options=-c%20search_path%3Dauth", "-c search_path=auth"),
        ("options=-csearch_path=auth+--statement-timeout=5s", "-c search_path=auth -c statement_timeout=5s"),
        (r"options=-c%20application_name%3Da%5C%20b", r"-c application_name=a\ b"),
        ("options[search_path]=auth&options[geqo]=off", "-c search_path=auth -c geqo=off"),
    ] {
        let Target::Postgres(postgres) = parsed(&format!("postgres://u@h/d?{options}")).0 else { panic!() };
        assert_eq!(postgres.options()[0].get_options(), Some(expected));
    }
    let Target::Postgres(postgres) = parsed("postgres://u@h/d").0 else { panic!() };
    assert_eq!(postgres.options()[0].get_options(), None, "a pooler refuses the parameter, also when it is empty");
    for options in ["-c", "-c%20x", "search_path=auth", "-f", "-c%20a=b%5C"] {
        assert!(rule(&format!("postgres://u@h/d?options={options}")).contains("option options"), "{options}");
    }
}

#[test]
fn options_that_nobody_knows_are_refused_by_their_name() {
    for (url, part) in [
        ("postgres://u@h/d?sslpassword=hunter2", "the option sslpassword is not supported: the key in sslkey"),
        (
            "postgres://u@h/d?ssl_mode=hunter2",
            "ssl_mode is not an option of a PostgreSQL URL; the options are sslmode,",
        ),
        ("postgres://u@h/d?channel_binding=require", "channel_binding is not supported"),
        (
            "postgres://u@h/d?sslmode=hunter2",
            "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgres://u@h/d?sslmode=require&ssl-mode=require", "sslmode is given more than once"),
        ("postgres://u@h/d?sslmode=prefer&sslrootcert=ca", "with sslrootcert the option sslmode must be verify-ca or"),
        ("postgres://u@h/d?sslmode=disable&sslrootcert=ca", "with sslrootcert the option sslmode must be verify-ca or"),
        ("postgres://u@h/d?sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert"),
        (
            "postgres://u@h/d?sslmode=require&sslrootcert=system",
            "sslrootcert=system the option sslmode must be verify-full",
        ),
        ("postgres://u@h/d?sslcert=c", "sslcert and sslkey must be given together"),
        ("postgres://u@h/d?sslrootcert=", "sslrootcert must name a file"),
        (
            "postgres://u@h/d?target_session_attrs=standby",
            "target_session_attrs must be one of read-write, primary, any",
        ),
        ("postgres://u@h/d?statement-cache-capacity=many", "statement-cache-capacity must be a number from 0 to 10000"),
        ("postgres://u:hunter2@h/d?password=hunter2", "the option password repeats"),
        ("postgres://u:hunter2@h/d?user=u", "the option user repeats"),
        ("postgres://u@h/d?dbname=e", "the option dbname repeats"),
        ("postgres://u@h/d?host=i", "the option host repeats"),
        ("postgres://u@h:1/d?port=2", "the option port repeats"),
        ("postgres:///d?host=h&hostaddr=10.0.0.1", "host and hostaddr exclude each other"),
        ("postgres://u@h/d?password=a&hunter2", "an option has no value"),
        ("postgres://u@h/d?password=a&hunter2!=b", "an option with special characters is not an option"),
        ("mysql://u@h/d?ssl_mode=REQUIRED", "ssl_mode is not an option of a MySQL URL; the options are ssl-mode,"),
        ("mysql://u@h/d?tls=true", "the option tls is not supported: TLS is chosen by ssl-mode"),
        ("mysql://u@h/d?ssl-mode=hunter2", "ssl-mode must be one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA,"),
        ("mysql://u@h/d?ssl-mode=PREFERRED&ssl-ca=ca", "with ssl-ca the option ssl-mode must be VERIFY_CA or"),
        ("mysql://u@h/d?ssl-mode=VERIFY_CA", "ssl-mode=VERIFY_CA needs ssl-ca"),
        ("mysql://u@h/d?charset=latin1", "charset must be one of utf8mb4"),
        ("mysql://u@h/d?collation=utf8mb4_bin", "collation is not supported"),
        ("mysql://u@h/d?time-zone=SYSTEM", "time-zone is not supported"),
        ("mysql://u@h/d?socket=run/mysqld.sock", "socket must be an absolute path"),
    ] {
        let rule = rule(url);
        assert!(rule.contains(part), "{url}: {rule}");
    }
}

#[test]
fn a_url_that_is_cut_short_says_what_is_missing() {
    for (url, part) in [
        ("postgres:hunter2", "must have the form postgres://"),
        ("mysql:/hunter2", "must have the form mysql://"),
        ("postgres://u:hunter2@h", "it names no database"),
        ("postgres://u:hunter2@h/?sslmode=require", "it names no database"),
        ("mysql://u:hunter2@h", "it names no database: mysql://host/database"),
        ("mysql://u:hunter2@h/", "it names no database"),
        ("postgres:///d", "it names no host"),
        ("mysql:///d", "it names no host"),
        ("postgres://u:hunter2@/d", "it names no host"),
        ("postgres://u:hunter2@h/d#x", "must not contain #"),
        ("postgres://u:a#hunter2@h/d", "must not contain #; in a password write %23"),
        ("postgres://u:a/hunter2@h/d", "percent-encoded"),
        ("postgres://u:a?hunter2@h/d", "percent-encoded"),
        ("postgres://u:hunter2@h:port/d", "percent-encoded"),
        ("mysql://u:hunter2@h:99999/d", "percent-encoded"),
        ("mysql://u:hunter2@h:0/d", "percent-encoded"),
        ("postgres://u:hunter2@h/d/e", "one name must follow the host"),
        ("postgres://u:hunter2@[::1/d", "the host or its port cannot be read"),
        ("postgres://u:hunter2@[hunter2]/d", "in [ ] must be an IPv6 address"),
        ("postgres://u:hunter2@::1/d", "the host or its port cannot be read"),
        ("postgres://u:%FF@h/d", "no UTF-8"),
        ("postgres://u:%00@h/d", "NUL"),
        ("mysql://u@h1,h2/d", "it must name one host"),
        ("postgres://u@a,b,c,d,e,f,g,h,i/d", "it must name at most 8 hosts"),
        ("postgres://u@a,,c/d", "a host is empty"),
        ("postgres://u@a,b/d?port=1,2,3", "the option port must be"),
        ("mysql://u@h /d", "a host is empty or no host name"),
    ] {
        let rule = rule(url);
        assert!(rule.contains(part), "{url}: {rule}");
    }
}

#[test]
fn a_url_is_shown_without_password_and_options() {
    for (url, shown) in [
        ("postgres://u:hunter2@h/d?sslmode=require", "postgres://u:***@h/d"),
        ("postgres://u@h:6000/d?password=hunter2", "postgres://u:***@h:6000/d"),
        ("postgresql://u:a@hunter2@[::1]:6000/d", "postgres://u:***@[::1]:6000/d"),
        ("postgres:///d?host=/var/run&options[x]=hunter2", "postgres://%2Fvar%2Frun/d"),
        ("mysql://u:hunter2@h/d?ssl-mode=REQUIRED", "mysql://u:***@h/d"),
        ("sqlite://data/auth.db?mode=rwc", "sqlite://data/auth.db"),
    ] {
        let url = parsed(url);
        assert_eq!((url.to_string().as_str(), format!("{url:?}").contains(SECRET)), (shown, false));
    }
}

#[test]
fn the_environment_neither_weakens_a_connection_nor_redirects_it() {
    let parse = |url: &str, variable: &'static str| {
        DatabaseUrl::parse_with_env(url, |name| (name == variable).then(|| SECRET.to_owned()))
    };
    for (variable, overruling) in [
        ("PGSSLMODE", "sslmode=require"),
        ("PGSSLROOTCERT", "sslrootcert=ca"),
        ("PGSSLCERT", "sslcert=c&sslkey=k"),
        ("PGSSLKEY", "sslcert=c&sslkey=k"),
        ("PGPASSFILE", "password=p"),
    ] {
        let refused = parse("postgres://u@h/d", variable).unwrap_err().to_string();
        assert!(refused.contains(variable) && !refused.contains(SECRET), "{refused}");
        assert!(parse(&format!("postgres://u@h/d?{overruling}"), variable).is_ok(), "{variable}");
    }
    assert!(parse("postgres://u@h/d?options[geqo]=off", "PGOPTIONS").is_err(), "the driver would add the two up");
    for harmless in ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGAPPNAME"] {
        assert!(parse("postgres://u@h/d", harmless).is_ok(), "{harmless}");
    }
    assert!(parse("mysql://u@h/d", "PGSSLMODE").is_ok() && parse("sqlite://a.db", "PGOPTIONS").is_ok());
    assert!(DatabaseUrl::parse_with_env("postgres://u@h/d", |_| Some(String::new())).is_ok(), "empty is not set");
}

#[test]
fn files_of_tls_are_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = file("ca", "# the authority\n-----BEGIN CERTIFICATE-----\r\n");
    let key = file("key", "-----BEGIN PRIVATE KEY-----\n");
    let encrypted = file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    let old = file("old", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
    let empty = file("empty", "");
    let missing = folder.path().join("missing").display().to_string();
    let check = |options: String| {
        let outcome = parsed(&format!("postgres://u@h/d?{options}")).check_files();
        outcome.map_err(|error| error.to_string())
    };
    assert_eq!(check(format!("sslrootcert={certificate}")), Ok(()));
    assert_eq!(check(format!("sslcert={certificate}&sslkey={key}")), Ok(()));
    for (options, part) in [
        (format!("sslrootcert={missing}"), "sslrootcert cannot be read"),
        (format!("sslrootcert={empty}"), "sslrootcert must contain a PEM certificate"),
        (format!("sslrootcert={key}"), "sslrootcert must contain a PEM certificate"),
        (format!("sslcert={certificate}&sslkey={certificate}"), "sslkey must contain a PEM private key"),
        (format!("sslcert={certificate}&sslkey={encrypted}"), "sslkey is encrypted"),
        (format!("sslcert={certificate}&sslkey={old}"), "sslkey is encrypted"),
    ] {
        let error = check(options).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
