//! A signal ends the process in time, and what is left behind is told.

use crate::bench::{Bench, process};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

/// Waits until the child's standard error holds `words` and returns the rest of the stream's reader.
fn until(child: &mut Child, words: &str) -> BufReader<std::process::ChildStderr> {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if line.contains(words) {
            return reader;
        }
        line.clear();
    }
    panic!("the process ended without `{words}`");
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn slow() -> serde_json::Value {
    let mut world = crate::bench::shop();
    // Two weeks of building: nobody waits for it.
    world["apps"][0]["timing"] = json!({ "build_seconds": 1_209_600 });
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_signal_has_its_exit_code_and_tells_how_to_take_the_job_out() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let bench = Bench::of(slow()).await;
        let mut child = process(
            &bench,
            &["run", "--app", "shop", "--migration-id", "ter-235", "--yes"],
        )
        .spawn()
        .unwrap();
        let (status, rest) = tokio::task::spawn_blocking(move || {
            let mut reader = until(&mut child, "is in the app spec");
            send(&child, signal);
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            (child.wait().unwrap(), rest)
        })
        .await
        .unwrap();
        assert_eq!(status.code(), Some(code), "{rest}");
        assert!(
            rest.contains(&format!("harbor-pilot reap --app {}", crate::bench::SHOP)),
            "{rest}"
        );
    }
}

/// A run that does not listen: its write to the firewall is never answered, and a write is not dropped by itself.
async fn hanging() -> (Bench, Child) {
    let mut world = crate::bench::shop();
    world["databases"][0]["rules"] = json!([{ "type": "ip_addr", "value": "203.0.113.7" }]);
    let bench = Bench::of(world).await;
    let silence = sim::FaultKind::Timeout {
        applied: sim::Applied::default(),
    };
    let fault = sim::Fault {
        method: Some("PUT".to_owned()),
        ..sim::Fault::next("/v2/databases/*/firewall", silence)
    };
    bench.world.arm(fault);
    let child = process(&bench, &["firewall", "restore", "--app", "shop", "--yes"])
        .spawn()
        .unwrap();
    while !bench.world.armed().is_empty() {
        tokio::task::yield_now().await;
    }
    (bench, child)
}

async fn ended(mut child: Child) -> std::process::ExitStatus {
    let wait = tokio::task::spawn_blocking(move || child.wait().unwrap());
    tokio::time::timeout(std::time::Duration::from_secs(9), wait)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_does_not_listen_ends_after_five_seconds() {
    let (_bench, mut child) = hanging().await;
    send(&child, "-TERM");
    let mut err = child.stderr.take().unwrap();
    assert_eq!(ended(child).await.code(), Some(143));
    let mut said = String::new();
    err.read_to_string(&mut said).unwrap();
    assert!(said.contains("harbor-pilot reap"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    let (_bench, child) = hanging().await;
    send(&child, "-INT");
    let begin = tokio::time::Instant::now();
    // Two of one kind that are pending together are one: send until it is gone.
    let pid = child.id().to_string();
    let waiting = tokio::spawn(ended(child));
    while !waiting.is_finished() && begin.elapsed() < std::time::Duration::from_secs(4) {
        let _gone = Command::new("kill")
            .args(["-INT", &pid])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(waiting.await.unwrap().code(), Some(130));
    assert!(begin.elapsed() < std::time::Duration::from_secs(4));
}

#[cfg(feature = "demo")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulator_ends_at_a_signal() {
    let bench = Bench::new().await;
    let world = bench.write("world.json", &crate::bench::shop().to_string());
    let world = world.display().to_string();
    let mut child = process(&bench, &["sim", "--world", &world, "--pace", "60"])
        .spawn()
        .unwrap();
    let (status, out) = tokio::task::spawn_blocking(move || {
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut out = String::new();
        while !out.contains("Ctrl-C") {
            assert!(reader.read_line(&mut out).unwrap() > 0, "{out}");
        }
        send(&child, "-INT");
        (child.wait().unwrap(), out)
    })
    .await
    .unwrap();
    assert!(status.success(), "{status}");
    assert!(out.starts_with("listening on http://127.0.0.1:"), "{out}");
    assert!(
        out.contains(&format!("app shop ({})", crate::bench::SHOP)),
        "{out}"
    );
}
