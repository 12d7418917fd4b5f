//! Lists that a command prints: lines with columns for people, or one JSON array for programs.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

/// The option of every command that prints a list.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Format {
    /// Print a JSON array for programs
    #[arg(long)]
    json: bool,
}

impl Format {
    /// Returns whether programs read the list.
    pub(super) fn is_json(self) -> bool {
        self.json
    }
}

/// An entry of a list.
pub(super) trait Entry {
    /// Returns the columns of its line.
    fn columns(&self) -> Vec<String>;

    /// Returns it as an element of the JSON array.
    fn json(&self) -> Value;
}

/// A list that is printed entry by entry, so that its length does not matter.
pub(super) struct Listing<'o> {
    out: &'o mut dyn Write,
    format: Format,
    entries: u64,
}

impl<'o> Listing<'o> {
    /// Begins a list.
    pub(super) fn begin(format: Format, out: &'o mut dyn Write) -> Self {
        Self { out, format, entries: 0 }
    }

    /// Prints an entry.
    pub(super) fn add(&mut self, entry: &impl Entry) -> io::Result<()> {
        self.entries += 1;
        if self.format.json {
            let separator = if self.entries == 1 { "[\n" } else { ",\n" };
            write!(self.out, "{separator}{}", entry.json())
        } else {
            writeln!(self.out, "{}", entry.columns().join("\t"))
        }
    }

    /// Ends the list.
    pub(super) fn end(self) -> io::Result<()> {
        match (self.format.json, self.entries) {
            (false, _) => Ok(()),
            (true, 0) => writeln!(self.out, "[]"),
            (true, _) => writeln!(self.out, "\n]"),
        }
    }
}

/// Prints a whole list.
pub(super) fn print<'e, E: Entry + 'e>(
    entries: impl IntoIterator<Item = &'e E>,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut listing = Listing::begin(format, out);
    entries.into_iter().try_for_each(|entry| listing.add(entry))?;
    listing.end()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Number(u32);

    impl Entry for Number {
        fn columns(&self) -> Vec<String> {
            vec!["number".to_owned(), self.0.to_string()]
        }

        fn json(&self) -> Value {
            json!({ "number": self.0 })
        }
    }

    fn printed(numbers: &[Number], json: bool) -> String {
        let mut out = Vec::new();
        print(numbers, Format { json }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_list_is_lines_for_people_and_one_array_for_programs() {
        assert_eq!(printed(&[Number(1), Number(2)], false), "number\t1\nnumber\t2\n");
        assert_eq!(printed(&[], false), "");
        for count in [0, 1, 2] {
            let numbers: Vec<_> = (0..count).map(Number).collect();
            let array: Value = serde_json::from_str(&printed(&numbers, true)).unwrap();
            assert_eq!(array.as_array().unwrap().len(), numbers.len());
        }
    }
}
