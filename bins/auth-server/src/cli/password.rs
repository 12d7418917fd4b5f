//! Reading a new password from the terminal or from standard input.

use std::io::{self, BufRead, IsTerminal as _};

use zeroize::Zeroizing;

/// Reads a new password: twice without echo from a terminal, or the first line of standard input if that is no terminal or
/// `from_stdin` is set.
///
/// # Errors
///
/// The two passwords differ, or nothing can be read.
pub(super) fn read(from_stdin: bool) -> io::Result<Zeroizing<String>> {
    if !from_stdin && io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").map(Zeroizing::new)?;
        let again = rpassword::prompt_password("The same again: ").map(Zeroizing::new)?;
        return if *password == *again { Ok(password) } else { Err(io::Error::other("the two passwords differ")) };
    }
    let line = first_line(&mut io::stdin().lock());
    line.map_err(|error| io::Error::new(error.kind(), format!("the password cannot be read: {error}")))
}

fn first_line(input: &mut impl BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(1024));
    input.read_line(&mut line)?;
    let end = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(end);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        for (input, password) in [("a b \nrest\n", "a b "), ("x\r\n", "x"), ("no end", "no end"), ("", "")] {
            assert_eq!(*first_line(&mut input.as_bytes()).unwrap(), password, "{input:?}");
        }
    }
}
