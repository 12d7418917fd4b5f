//! Real keys in every form in which tools write them, and the changes that such a file suffers before it is given as a
//! secret. The files were made from the keys beside them with `openssl`, `ssh-keygen`, `gpg` and `keytool`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("forms/", $name)))
    };
}

const FILES: &[(&str, &[u8])] = &[
    file!("authorized_keys"),
    file!("ed-certificate.der"),
    file!("ed-certificate.pem"),
    file!("ed-openssh-private"),
    file!("ed-pkcs8.der"),
    file!("ed-rfc4716.txt"),
    file!("ed-spki.der"),
    file!("ed.ssh"),
    file!("java-keystore.jks"),
    file!("known_hosts"),
    file!("p256-bag-attributes.pem"),
    file!("p256-certificate.der"),
    file!("p256-certificate.pem"),
    file!("p256-encrypted.pem"),
    file!("p256-pkcs7.pem"),
    file!("p256-pkcs8.der"),
    file!("p256-point.bin"),
    file!("p256-request.pem"),
    file!("p256-sec1-with-parameters.pem"),
    file!("p256-sec1-without-public.pem"),
    file!("p256-sec1.der"),
    file!("p256-sec1.pem"),
    file!("p256-spki.der"),
    file!("p256.p12"),
    file!("p256.ssh"),
    file!("p384-sec1.pem"),
    file!("pgp-private.asc"),
    file!("pgp-public.asc"),
    file!("pgp-public.gpg"),
    file!("rsa-certificate-text.pem"),
    file!("rsa-certificate.der"),
    file!("rsa-certificate.pem"),
    file!("rsa-encrypted-traditional.pem"),
    file!("rsa-modulus.txt"),
    file!("rsa-pkcs1-private.der"),
    file!("rsa-pkcs1-private.pem"),
    file!("rsa-pkcs1.der"),
    file!("rsa-pkcs1.pem"),
    file!("rsa-pkcs8.der"),
    file!("rsa-rfc4716.txt"),
    file!("rsa-spki.der"),
    file!("rsa-text.txt"),
    file!("rsa.ssh"),
    ("rsa.pub", include_bytes!("rsa.pub")),
    ("p256.pub", include_bytes!("p256.pub")),
    ("p384.pub", include_bytes!("p384.pub")),
    ("ed.pub", include_bytes!("ed.pub")),
    ("rsa.pem", include_bytes!("rsa.pem")),
    ("p256.pem", include_bytes!("p256.pem")),
    ("ed.pem", include_bytes!("ed.pem")),
];

const TEXTS: &[(&str, &str)] = &[
    ("age recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"),
    ("age identity", "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"),
    ("minisign", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"),
    ("PASETO", "k4.public.cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8"),
    ("DID", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
    ("fingerprint", "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDpvWWb1cFVnxLHPVw"),
    (
        "PuTTY",
        "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nComment: ada\r\nPublic-Lines: 2\r\n\
         AAAAC3NzaC1lZDI1NTE5AAAAINAf/elo8gCO/ae17g8YzwTvDg2Ax9MelPxjYVSx\r\nEKVg\r\n",
    ),
    (
        "DKIM",
        "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4IVw7pYVujfbAYbCDPlvPbJ3TnzJLJerHL5V0/tvQl/OEzVa",
    ),
];

/// Returns every key: its name and the bytes of its file.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> =
        FILES.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    all.extend(TEXTS.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())));
    let point = &include_bytes!("forms/p256-point.bin")[1..];
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[..32]), URL_SAFE_NO_PAD.encode(&point[32..]));
    let p256 = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","use":"sig"}}"#);
    let modulus = URL_SAFE_NO_PAD.encode(&include_bytes!("forms/rsa-pkcs1.der")[9..265]);
    let rsa = format!(r#"{{"n":"{modulus}","e":"AQAB","kty":"RSA"}}"#);
    all.push(("JWK set".to_owned(), format!("{{\n  \"keys\": [\n    {p256},\n    {rsa}\n  ]\n}}\n").into_bytes()));
    all.push(("JWK P-256".to_owned(), p256.into_bytes()));
    all.push(("JWK RSA".to_owned(), rsa.into_bytes()));
    all
}

/// Function that writes a file in another way. It returns `None` where that makes no sense for these bytes.
type Wrapper = fn(&[u8]) -> Option<Vec<u8>>;

/// Every way of writing a file in which a key is recognized.
pub(crate) const WRAPPERS: &[(&str, Wrapper)] = &[
    ("as it is", |bytes| Some(bytes.to_vec())),
    ("with line breaks after it", |bytes| Some([bytes, b"\n\r\n"].concat())),
    ("with blanks around it", |bytes| Some([b" \t\n".as_slice(), bytes, b" \n"].concat())),
    ("after a comment", |bytes| text(bytes).map(|text| format!("# key 2026\n{text}").into_bytes())),
    ("after a comment with CRLF", |bytes| text(bytes).map(|text| format!("key of ada\r\n\r\n{text}").into_bytes())),
    ("after a byte order mark", |bytes| text(bytes).map(|text| format!("\u{feff}{text}").into_bytes())),
    ("UTF-16 little endian", |bytes| utf16(bytes, u16::to_le_bytes, true)),
    ("UTF-16 little endian without mark", |bytes| utf16(bytes, u16::to_le_bytes, false)),
    ("UTF-16 big endian", |bytes| utf16(bytes, u16::to_be_bytes, true)),
    ("UTF-16 big endian without mark", |bytes| utf16(bytes, u16::to_be_bytes, false)),
    ("UTF-32", |bytes| Some(text(bytes)?.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect())),
    ("CRLF", |bytes| Some(text(bytes)?.replace('\n', "\r\n").into_bytes())),
    ("on one line", |bytes| Some(text(bytes)?.replace(['\n', '\r'], " ").into_bytes())),
    ("with escaped line breaks", |bytes| Some(text(bytes)?.replace('\n', "\\n").into_bytes())),
    ("as a JSON string", |bytes| Some(serde_json::to_vec(text(bytes)?).unwrap())),
    ("as an assignment", |bytes| Some(format!("KEY='{}'\n", text(bytes)?).into_bytes())),
    ("indented", |bytes| Some(format!("key: |\n  {}", text(bytes)?.replace('\n', "\n  ")).into_bytes())),
    ("base64", |bytes| Some(STANDARD.encode(bytes).into_bytes())),
    ("base64url", |bytes| Some(URL_SAFE_NO_PAD.encode(bytes).into_bytes())),
    ("base64 in lines", |bytes| Some(lines(&STANDARD.encode(bytes), 64, "\n"))),
    ("base64 in lines with CRLF", |bytes| Some(lines(&STANDARD.encode(bytes), 76, "\r\n"))),
    ("base64 after a word", |bytes| Some(format!("key-{}", STANDARD.encode(bytes)).into_bytes())),
    ("base64 after a comment", |bytes| {
        Some([b"# key\n", lines(&STANDARD.encode(bytes), 64, "\n").as_slice()].concat())
    }),
    ("base64 of base64", |bytes| Some(STANDARD.encode(STANDARD.encode(bytes)).into_bytes())),
    ("base64 in UTF-16", |bytes| utf16(STANDARD.encode(bytes).as_bytes(), u16::to_le_bytes, true)),
    ("hexadecimal", |bytes| Some(hex(bytes, "").into_bytes())),
    ("hexadecimal in capitals", |bytes| Some(hex(bytes, "").to_uppercase().into_bytes())),
    ("hexadecimal with colons", |bytes| Some(hex(bytes, ":").into_bytes())),
    ("hexadecimal with blanks", |bytes| Some(hex(bytes, " ").into_bytes())),
    ("hexadecimal with 0x", |bytes| Some(format!("0x{}", hex(bytes, "")).into_bytes())),
    ("base64 of hexadecimal", |bytes| Some(STANDARD.encode(hex(bytes, "")).into_bytes())),
];

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn utf16(bytes: &[u8], order: fn(u16) -> [u8; 2], mark: bool) -> Option<Vec<u8>> {
    let mark = mark.then_some(0xfeff);
    Some(mark.into_iter().chain(text(bytes)?.encode_utf16()).flat_map(order).collect())
}

fn lines(digits: &str, width: usize, end: &str) -> Vec<u8> {
    digits.as_bytes().chunks(width).flat_map(|line| [line, end.as_bytes()].concat()).collect()
}

fn hex(bytes: &[u8], separator: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator)
}
