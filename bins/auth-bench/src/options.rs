//! What can be said on the command line.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use crate::Failure;

/// What every bench understands.
#[derive(Args)]
pub(crate) struct Options {
    /// Run for a moment only: shows that it runs, measures nothing
    #[arg(long, global = true)]
    pub(crate) quick: bool,
    /// Write the figures as JSON into this folder, one file a bench
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the plots into this folder, as SVG
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) plots: Option<PathBuf>,
    /// A PostgreSQL server to make databases on (default: `AUTH_TEST_POSTGRES_URL`); without one its part is left out
    #[arg(long, global = true, value_name = "URL")]
    postgres: Option<String>,
    /// The server to measure (default: `auth-server` beside this program)
    #[arg(long, global = true, value_name = "PROGRAM")]
    server: Option<PathBuf>,
}

/// Another server to put the same load on.
#[derive(Args, Default)]
pub(crate) struct Peer {
    /// What to ask for: `http://host:port/path`
    #[arg(long)]
    pub(crate) url: Option<Url>,
    /// A header of the request, as `Name: value`; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// A JSON body; the request is then a POST
    #[arg(long)]
    pub(crate) body: Option<String>,
    /// Where `flood` posts its logins
    #[arg(long)]
    pub(crate) login_url: Option<Url>,
}

impl Options {
    /// `full`, or `quick` in a quick run.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The PostgreSQL server, if there is one.
    pub(crate) fn postgres(&self) -> Option<String> {
        self.postgres.clone().or_else(|| std::env::var("AUTH_TEST_POSTGRES_URL").ok())
    }

    /// The program to measure.
    pub(crate) fn server(&self) -> Result<PathBuf, Failure> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let server = std::env::current_exe()?.with_file_name("auth-server");
        if server.exists() {
            Ok(server)
        } else {
            Err(format!("there is no {}; build it, or name it with --server", server.display()).into())
        }
    }
}
