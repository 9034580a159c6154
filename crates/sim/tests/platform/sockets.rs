//! The same world over a socket, in real time, and its controls.

use serde_json::{Value, json};
use sim::{Clock, World, serve};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Starts a world; it ends when the set is dropped.
async fn start() -> (World, SocketAddr, JoinSet<std::io::Result<()>>) {
    let world =
        World::minimal(Clock::starting_at("2026-02-18T00:35:00Z".parse().unwrap()).at_pace(600.0))
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(world.clone(), listener));
    (world, address, tasks)
}

/// Sends one request and returns everything that came back.
async fn exchange(address: SocketAddr, method: &str, path: &str, body: &Value) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer do-token\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A connection that is closed in our face reads as an error or as an end, as the system pleases.
    stream.read_to_string(&mut answer).await.ok();
    answer
}

/// Does the same for a JSON answer.
async fn call(address: SocketAddr, method: &str, path: &str, body: Value) -> Value {
    let answer = exchange(address, method, path, &body).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn urls_lead_back_to_the_listener() {
    let (_world, address, _tasks) = start().await;
    let app = call(address, "GET", crate::client::APP, Value::Null).await;
    assert_eq!(
        app["app"]["live_url"],
        format!("http://{address}/_live/shop")
    );
    let health = call(address, "GET", "/_live/shop/health", Value::Null).await;
    assert_eq!(health["status"], "ok");
}

#[tokio::test]
async fn a_fault_of_the_connection_closes_it_without_an_answer() {
    let (_world, address, _tasks) = start().await;
    let fault = json!({"on": "apps.get", "fault": {"kind": "reset", "applied": "yes"}});
    assert_eq!(
        call(address, "POST", "/_sim/faults", fault)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        exchange(address, "GET", crate::client::APP, &Value::Null).await,
        ""
    );
    call(address, "GET", crate::client::APP, Value::Null).await;
}

#[tokio::test]
async fn the_story_can_be_told_over_http() {
    let (world, address, _tasks) = start().await;
    let control =
        async |path: &str, body: Value| call(address, "POST", &format!("/_sim/{path}"), body).await;
    let knobs = control("knobs", json!({"overlap": "queue"})).await;
    assert_eq!(
        (&knobs["overlap"], &knobs["read_back"]),
        (&json!("queue"), &json!("normalised"))
    );
    let pushed = control(
        "push",
        json!({"repo": "acme/shop", "files": {"a": "b"}, "message": "a change"}),
    )
    .await;
    assert_eq!(pushed["branch"], "main");
    let open = json!({"repo": "acme/shop", "number": 428, "title": "Move ids", "head": "move-ids",
        "files": {"c": "d"}, "by": "mona"});
    assert_eq!(control("pull-request", open).await["number"], 428);
    control(
        "label",
        json!({"repo": "acme/shop", "number": 428, "label": "needs-migration", "by": "mona"}),
    )
    .await;
    control(
        "merge",
        json!({"repo": "acme/shop", "number": 428, "by": "mona"}),
    )
    .await;
    let mut spec = world.state()["apps"][0]["spec"].clone();
    spec["alerts"] = json!([]);
    control(
        "edit-spec",
        json!({"app": "shop", "spec": spec, "user": "ops@example.com"}),
    )
    .await;
    control(
        "edit-firewall",
        json!({"cluster": "shop-mysql", "rules": [{"type": "ip_addr", "value": "203.0.113.7"}]}),
    )
    .await;
    control("create-deployment", json!({"app": "shop"})).await;
    control("health", json!({"app": "shop", "health": "down"})).await;
    control(
        "break",
        json!({"app": "shop", "breakage": {"kind": "build_fails", "component": "web"}}),
    )
    .await;
    let state = call(address, "GET", "/_sim/state", Value::Null).await;
    let app = &state["apps"][0];
    assert_eq!(app["health"], "down");
    assert_eq!(app["deployments"].as_array().unwrap().len(), 5);
    let first = app["deployments"][4]["id"].clone();
    control("rollback", json!({"app": "shop", "deployment": first})).await;
    assert_eq!(state["databases"][0]["rules"][0]["type"], "ip_addr");
    assert_eq!(
        state["github"][0]["issues"][0]["labels"],
        json!(["needs-migration"])
    );
    assert_eq!(
        call(address, "GET", "/_sim/executions", Value::Null).await,
        json!([])
    );
    assert_eq!(
        call(address, "GET", "/_sim/requests", Value::Null).await,
        json!([]),
        "controls are not recorded"
    );
    let refused = exchange(
        address,
        "POST",
        "/_sim/knobs",
        &json!({"overlap": "sometimes"}),
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
}
