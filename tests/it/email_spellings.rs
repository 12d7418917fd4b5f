//! Spellings of e-mail addresses: which are one account, which are two, and which are none.

use auth_tests::App;
use serde_json::json;

/// Each line is one mailbox.
const SAME: &[&[&str]] = &[
    &[
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "Ada@Example.Com",
        "  ada@example.com\t",
        "ａｄａ@example.com",
        "ada@ｅｘａｍｐｌｅ.com",
    ],
    &["adá@example.com", "ada\u{301}@example.com", "ADÁ@example.com"],
    &[
        "ada@bücher.example",
        "ada@bu\u{308}cher.example",
        "ada@BÜCHER.example",
        "ada@xn--bcher-kva.example",
        "ada@XN--BCHER-KVA.EXAMPLE",
    ],
    &["straße@example.com", "STRAßE@example.com"],
    &["ﬁona@example.com", "fiona@example.com"],
];

/// Each is an account of its own, beside those of [`SAME`].
const DIFFERENT: &[&str] = &[
    "ada+tag@example.com",
    "a.da@example.com",
    "ada@example.org",
    "ada@sub.example.com",
    "аda@example.com",
    "strasse@example.com",
    "ada@faß.example",
    "ada@fass.example",
    "o'hara@example.com",
    "!#$%&'*+-/=?^_`{|}~@example.com",
];

const NONE: &[&str] = &[
    "ada",
    "ada@",
    "@example.com",
    "ada@@example.com",
    "ada@b@example.com",
    "ada example@example.com",
    "ada@exa mple.com",
    "ada@example..com",
    "ada@.example.com",
    ".ada@example.com",
    "ada.@example.com",
    "a..da@example.com",
    "ada@-example.com",
    "ada@exa_mple.com",
    "ada@exam\u{ad}ple.com",
    "ada@[127.0.0.1]",
    "\"ada\"@example.com",
    "\"a b\"@example.com",
    "Ada <ada@example.com>",
    "<ada@example.com>",
    "ada@example.com (Ada)",
    "mailto:ada@",
    "ada＠example.com",
    "ada@example.com\r\nBcc: x@example.com",
    "ada\0@example.com",
    "ada@example.com,bob@example.com",
    "ada@xn--a.example",
    "¨@example.com",
];

#[tokio::test]
async fn spellings_of_one_mailbox_are_one_account_and_others_are_not() {
    let app = App::in_memory_with(&[("AUTH_THROTTLE", "off")]).await;
    let mut number = 0;
    let mut register = async |email: &str| {
        number += 1;
        let body = json!({ "email": email, "username": format!("user{number}"), "password": App::PASSWORD });
        app.post("/auth/register").json(&body).send().await
    };
    for spellings in SAME {
        let first = register(spellings[0]).await;
        assert_eq!(first.status, 201, "{}: {}", spellings[0], first.body);
        for spelling in *spellings {
            let again = register(spelling).await;
            assert_eq!((again.status, again.text("code")), (409, "user_exists".to_owned()), "{spelling:?}");
            let login = app.try_login(spelling, App::PASSWORD).await;
            assert_eq!(login.status, 200, "{spelling:?}");
            assert_eq!(login.text("public_id"), first.text("public_id"), "{spelling:?}");
        }
    }
    for email in DIFFERENT {
        let answer = register(email).await;
        assert_eq!(answer.status, 201, "{email:?}: {}", answer.body);
    }
    for text in NONE {
        let answer = register(text).await;
        assert_eq!((answer.status, answer.text("code")), (400, "validation_failed".to_owned()), "{text:?}");
        assert!(answer.json()["errors"]["email"].is_string(), "{text:?}");
        // At a login it is an unknown address and not a lesson in syntax.
        let login = app.try_login(text, App::PASSWORD).await;
        assert_eq!((login.status, login.text("code")), (401, "invalid_credentials".to_owned()), "{text:?}");
    }
}
