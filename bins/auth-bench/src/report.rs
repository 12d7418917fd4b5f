//! What a bench has found: a table for people, JSON for machines, plots for the docs.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::Failure;
use crate::figure::Figure;
use crate::options::Options;
use crate::plot::Plot;

/// The result of a bench.
#[derive(Serialize)]
pub(crate) struct Report {
    bench: &'static str,
    machine: String,
    quick: bool,
    rows: Vec<Row>,
    goals: Vec<Goal>,
    notes: Vec<String>,
    #[serde(skip)]
    plots: Vec<Plot>,
}

#[derive(Serialize)]
struct Row {
    what: String,
    figures: Vec<(&'static str, Figure)>,
}

#[derive(Serialize)]
struct Goal {
    what: String,
    bound: String,
    figure: Figure,
    met: bool,
}

impl Report {
    pub(crate) fn new(bench: &'static str, options: &Options) -> Self {
        Self {
            bench,
            machine: machine(),
            quick: options.quick,
            rows: Vec::new(),
            goals: Vec::new(),
            notes: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// A line of the table.
    pub(crate) fn row(&mut self, what: impl Into<String>, figures: Vec<(&'static str, Figure)>) {
        let what = what.into();
        progress(self.bench, &what);
        self.rows.push(Row { what, figures });
    }

    /// A goal that is met by at least so much.
    pub(crate) fn at_least(&mut self, what: impl Into<String>, bound: f64, figure: Figure) {
        let met = figure.median >= bound;
        self.goals.push(Goal { what: what.into(), bound: format!("≥ {bound}"), figure, met });
    }

    /// A goal that is met by at most so much.
    pub(crate) fn at_most(&mut self, what: impl Into<String>, bound: f64, figure: Figure) {
        let met = figure.median <= bound;
        self.goals.push(Goal { what: what.into(), bound: format!("≤ {bound}"), figure, met });
    }

    /// Something to know of the figures.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn plot(&mut self, plot: Plot) {
        self.plots.push(plot);
    }

    /// Prints, and writes what the options ask for.
    pub(crate) fn publish(&self, options: &Options) -> Result<(), Failure> {
        std::io::stdout().write_all(self.table().as_bytes())?;
        if let Some(folder) = &options.json {
            fs::create_dir_all(folder)?;
            let json = serde_json::to_string_pretty(self)?;
            fs::write(folder.join(format!("{}.json", self.bench)), json + "\n")?;
        }
        if let Some(folder) = &options.plots {
            fs::create_dir_all(folder)?;
            self.plots.iter().try_for_each(|plot| plot.draw(folder))?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let mut text =
            format!("\n## {}\n\n{}{}\n\n", self.bench, self.machine, if self.quick { ", quick" } else { "" });
        let mut columns: Vec<&'static str> = Vec::new();
        for (name, _) in self.rows.iter().flat_map(|row| &row.figures) {
            if !columns.contains(name) {
                columns.push(name);
            }
        }
        let _ = write!(text, "| | {} |\n|---{}|\n", columns.join(" | "), "|---".repeat(columns.len()));
        for row in &self.rows {
            let cell = |column: &&str| {
                let figure = row.figures.iter().find(|(name, _)| name == column);
                figure.map_or_else(String::new, |(_, figure)| figure.to_string())
            };
            let cells: Vec<String> = columns.iter().map(cell).collect();
            let _ = writeln!(text, "| {} | {} |", row.what, cells.join(" | "));
        }
        if !self.goals.is_empty() {
            text.push_str("\n| goal | | figure | |\n|---|---|---|---|\n");
        }
        for goal in &self.goals {
            let met = if goal.met { "met" } else { "missed" };
            let _ = writeln!(text, "| {} | {} | {} | {met} |", goal.what, goal.bound, goal.figure);
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// Says what was measured, on standard error: a long run is not a silent one.
fn progress(bench: &str, what: &str) {
    let _ = writeln!(std::io::stderr(), "{bench}: {what}");
}

/// Says why there is no report.
pub(crate) fn say_error(error: &str) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

/// The processor and how many of it.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    format!("{cores} cores, {}", model.trim_start_matches(['\t', ' ', ':']))
}
