//! The real server's `GET /auth/verify` beside bare poem returning the same bytes: what the check and everything around
//! it cost of what the framework can do.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hyper::body::Bytes;
use poem::endpoint::make_sync;
use poem::http::{HeaderName, HeaderValue};
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{EndpointExt as _, Response, Route, get};
use url::Url;

use crate::Failure;
use crate::figure::{Figure, count, quantile, sorted};
use crate::load::{Outcome, Request, ask, closed_loop};
use crate::options::{Options, Peer};
use crate::plot::Plot;
use crate::report::Report;
use crate::server::{Server, processor_time};

const CONNECTIONS: [usize; 3] = [1, 32, 256];

pub(crate) fn run(options: &Options, peer: &Peer) -> Result<Report, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match &peer.url {
            Some(url) => of_peer(options, peer, url).await,
            None => of_ours(options).await,
        }
    })
}

/// What a side did in each round.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    processor_micros: Vec<f64>,
    latencies: Vec<f64>,
}

impl Side {
    fn note(&mut self, outcome: &Outcome, processor: Option<Duration>) {
        self.rates.push(outcome.rate());
        self.latencies.extend(&outcome.latencies);
        if let Some(processor) = processor {
            self.processor_micros.push(processor.as_secs_f64() * 1e6 / count(outcome.latencies.len()));
        }
    }

    fn figures(&self) -> Vec<(&'static str, Figure)> {
        let latencies = sorted(&self.latencies);
        let at = |share| Figure::once(quantile(&latencies, share), "ms");
        let mut figures = vec![("requests", Figure::of(&self.rates, "/s"))];
        figures.extend([("p50", at(0.5)), ("p99", at(0.99)), ("p99.9", at(0.999))]);
        if !self.processor_micros.is_empty() {
            figures.push(("processor a request", Figure::of(&self.processor_micros, "µs")));
        }
        figures
    }
}

async fn of_ours(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("http", options);
    let server = Server::start(options, &[("AUTH_BCRYPT_COST", "4")]).await?;
    let token = server.register("ada").await?;
    let verify = server.verify(&token)?;
    let answer = ask(&verify).await?;
    let bare = Bare::start(&answer.head, &answer.body)?;
    let bare_request = Request::get(&bare.url, &[crate::server::bearer(&token)])?;
    let lasting = options.pick(Duration::from_millis(1_500), Duration::from_millis(60));
    let mut bars = Vec::new();
    for connections in CONNECTIONS {
        let (mut ours, mut theirs) = (Side::default(), Side::default());
        for round in 0..=options.pick(9, 1) {
            let before = server.processor_time();
            let outcome = closed_loop(&verify, connections, lasting).await?;
            let used = before.zip(server.processor_time()).map(|(before, after)| after.saturating_sub(before));
            let before = processor_time(bare.child.id());
            let ceiling = closed_loop(&bare_request, connections, lasting).await?;
            let bare_used =
                before.zip(processor_time(bare.child.id())).map(|(before, after)| after.saturating_sub(before));
            if outcome.lost() + ceiling.lost() > 0 {
                return Err("a request failed".into());
            }
            if round > 0 {
                ours.note(&outcome, used);
                theirs.note(&ceiling, bare_used);
            }
        }
        report.row(format!("bare poem, {connections} connections"), theirs.figures());
        report.row(format!("GET /auth/verify, {connections} connections"), ours.figures());
        let ratio = Figure::ratio(&ours.rates, &theirs.rates);
        if connections == 32 {
            report.at_least("GET /auth/verify ÷ bare poem at 32 connections", 0.9, ratio);
        }
        bars.push((format!("poem, {connections}"), Figure::of(&theirs.rates, "/s")));
        bars.push((format!("verify, {connections}"), Figure::of(&ours.rates, "/s")));
    }
    report.note(
        "The load comes from the same machine: its share of the processor is the same for both sides. The processor time \
         is that of the server's process alone.",
    );
    report.plot(Plot::Bars {
        file: "http.svg",
        title: "Requests a second: bare poem and GET /auth/verify, by connections".to_owned(),
        unit: "requests/s",
        bars,
    });
    Ok(report)
}

async fn of_peer(options: &Options, peer: &Peer, url: &Url) -> Result<Report, Failure> {
    let mut report = Report::new("http", options);
    let request = match &peer.body {
        Some(body) => Request::post(url, &peer.headers, body)?,
        None => Request::get(url, &peer.headers)?,
    };
    let lasting = options.pick(Duration::from_secs(2), Duration::from_millis(60));
    for connections in CONNECTIONS {
        let mut side = Side::default();
        for round in 0..=options.pick(5, 1) {
            let outcome = closed_loop(&request, connections, lasting).await?;
            if round > 0 {
                side.note(&outcome, None);
            }
        }
        report.row(format!("{url}, {connections} connections"), side.figures());
    }
    Ok(report)
}

/// The ceiling, in a process of its own as the server is.
struct Bare {
    child: Child,
    url: Url,
    _folder: tempfile::TempDir,
}

impl Bare {
    fn start(head: &str, body: &str) -> Result<Self, Failure> {
        let headers: Vec<(&str, &str)> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            // These two the framework writes itself.
            .filter(|(name, _)| !["content-length", "date"].contains(&name.to_ascii_lowercase().as_str()))
            .collect();
        let folder = tempfile::TempDir::new()?;
        let file = folder.path().join("answer");
        fs::write(&file, format!("{}\n{body}", serde_json::to_string(&headers)?))?;
        let mut child = Command::new(std::env::current_exe()?).arg("bare").arg(&file).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, url: line.trim().parse()?, _folder: folder })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what `answer` holds, for ever, on as many threads as the server uses.
pub(crate) fn serve_bare(answer: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(answer)?;
    let (headers, body) = text.split_once('\n').ok_or("the answer has no body")?;
    let headers: Vec<(String, String)> = serde_json::from_str(headers)?;
    let headers: Vec<(HeaderName, HeaderValue)> = headers
        .iter()
        .map(|(name, value)| Ok::<_, Failure>((name.parse()?, value.parse()?)))
        .collect::<Result<_, _>>()?;
    let body = Bytes::copy_from_slice(body.as_bytes());
    let endpoint = make_sync(move |_| {
        let mut response = Response::builder().body(body.clone());
        response.headers_mut().extend(headers.iter().cloned());
        response
    });
    let app = Route::new().at("/auth/verify", get(endpoint));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
        let address = acceptor.local_addr().pop().ok_or("no address")?;
        let address = address.as_socket_addr().copied().ok_or("no address")?;
        writeln!(std::io::stdout(), "http://{address}/auth/verify")?;
        poem::Server::new_with_acceptor(acceptor).run(app.boxed()).await?;
        Ok(())
    })
}
