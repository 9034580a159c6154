//! A job that prints a hundred megabytes, seen through a whole run: in a process of its own, for the memory of a
//! process is measured.
#![cfg(test)]

#[path = "../../runner/tests/it/harbor.rs"]
#[expect(dead_code, reason = "the runner's own tests use the rest")]
mod harbor;

use bytes::Bytes;
use digitalocean::{BoxError, Client, Transport};
use futures_util::stream::{self, StreamExt as _};
use harbor::{Box_, harbour};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use migration::{CleanUpAxis, JobAxis, Reason};
use runner::Ended;
use secrecy::SecretString;
use sim::World;
use std::fs;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};
use tower::ServiceExt as _;

const PRINTED: usize = 100_000_000;
const PIECE: usize = 64 * 1024;

/// What a run may take for it: the four megabytes of a log's end, and room for how the allocator serves them.
const ALLOWED_KB: u64 = 16_000;

#[tokio::test(start_paused = true)]
async fn a_job_that_prints_a_hundred_megabytes_is_followed_in_bounded_memory() {
    // The first run pays for what lasts, and tells what is not the log's.
    let (_, usual) = run(&mut harbour(), 0).await;
    let mut harbour = harbour();
    let (ended, held) = run(&mut harbour, PRINTED).await;
    let said = format!(
        "from its log on, a run held {held} kB more with {PRINTED} bytes in it, {usual} kB without\n"
    );
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    assert!(held < ALLOWED_KB, "{held} kB");

    let verdict = ended.report.verdict.unwrap();
    assert_eq!(ended.reason, Reason::Done, "{verdict:#?}");
    assert_eq!(verdict.job, JobAxis::Done);
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    let path = &verdict.facts.log_paths[0].1;
    let kept = fs::metadata(path).unwrap().len();
    assert!((30_000_000..34_000_000).contains(&kept), "{kept} bytes");
    let kept = fs::read_to_string(path).unwrap();
    assert!(kept.contains("adding") && kept.contains("filling"));
    assert!(kept.contains("bytes of this log are left out here"));
}

/// Runs a migration of two steps, the first of which prints so much, and tells how much more memory than at the first
/// request for its log was held from there on, in kB.
async fn run(harbour: &mut Box_, printed: usize) -> (Ended, u64) {
    let before = Arc::new(OnceLock::new());
    let base = "http://127.0.0.1:9".parse().unwrap();
    let long = long_logged(&harbour.world, printed, before.clone());
    harbour.harbor.client = Client::new(long, &base, SecretString::from("do-token")).unwrap();
    let request = harbour.request(&[("columns", "echo adding"), ("backfill", "echo filling")]);
    let ended = runner::migrate(&harbour.harbor, request).await;
    let most = memory_kb("VmHWM");
    (ended, most.saturating_sub(*before.get().unwrap()))
}

/// The platform, with so many more bytes in every stored log, behind the first step's output.
fn long_logged(world: &World, printed: usize, before: Arc<OnceLock<u64>>) -> Transport {
    let inner = harbor::transport(world);
    Transport::new(tower::service_fn(move |request: Request<Bytes>| {
        let inner = inner.clone();
        let memory_before = before.clone();
        async move {
            let stored = request.uri().path().starts_with("/_logs/");
            let response = inner.oneshot(request).await?;
            if !stored {
                return Ok::<_, BoxError>(response);
            }
            memory_before.get_or_init(forget_the_most);
            let (parts, body) = response.into_parts();
            let mut before = body.collect().await?.to_bytes();
            let line = b"adding\n";
            let found = before.windows(line.len()).position(|bytes| bytes == line);
            let at = found.map_or(before.len(), |at| at + line.len());
            let after = before.split_off(at);
            let rows = "migrated another thousand rows of a very long table\n";
            let piece = Bytes::from(rows.repeat(PIECE / rows.len()));
            let pieces = std::iter::repeat_n(piece.clone(), printed.div_ceil(piece.len()));
            let all = std::iter::once(before).chain(pieces).chain([after]);
            let frames = stream::iter(all).map(|bytes| Ok(Frame::data(bytes)));
            Ok(Response::from_parts(
                parts,
                StreamBody::new(frames).boxed_unsync(),
            ))
        }
    }))
}

/// Returns what this process holds now, and makes the kernel measure the most anew from here.
fn forget_the_most() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    memory_kb("VmRSS")
}

fn memory_kb(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}
