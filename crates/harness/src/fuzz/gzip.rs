//! A log as the storage hands it out: packed or not, in any frames, whole or not.

use super::unread::{Unread, pieces};
use bytes::Bytes;
use digitalocean::{
    BoxError, Client, Error, FetchedLog, LogLimits, PresignedUrl, Retry, Transport,
};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use secrecy::SecretString;
use std::io::{Read as _, Write as _};
use tokio::runtime::Runtime;

/// More than any input here unfolds to: deflate packs a thousand to one at most.
const AMPLE: LogLimits = LogLimits {
    head_bytes: 1 << 24,
    tail_bytes: 1 << 20,
    read_bytes: 1 << 30,
};

/// So little that most inputs are too long.
const SCANT: LogLimits = LogLimits {
    head_bytes: 40,
    tail_bytes: 30,
    read_bytes: 500,
};

/// The longest line that says how much was left out.
const NOTE_BYTES: u64 = 80;

/// Frames make no difference, what is packed comes out as it went in, what is cut off is an error and never a shorter
/// log, and no more is kept than asked, whatever it unfolds to.
pub fn gzip(bytes: &[u8]) {
    let mut unread = Unread::new(bytes);
    let seed = unread.byte();
    let cut_at = usize::from(unread.byte()) << 8 | usize::from(unread.byte());
    let bytes = unread.rest();

    as_it_comes(bytes, seed);
    let members = usize::from(seed) % 5 + 1;
    let members: Vec<Vec<u8>> = bytes
        .chunks(bytes.len() / members + 1)
        .map(packed)
        .collect();
    whole_and_cut(bytes, &members, (seed, cut_at));
    bounded(bytes, seed);
    bounded(&members.concat(), seed);
}

fn as_it_comes(body: &[u8], seed: u8) {
    let whole = fetch(&[body], &AMPLE);
    let in_frames = fetch(&pieces(body, seed), &AMPLE);
    assert_eq!(
        whole.as_ref().ok(),
        in_frames.as_ref().ok(),
        "frames decide"
    );
    match (body.starts_with(&[0x1f, 0x8b]), whole) {
        (false, whole) => assert_eq!(whole.unwrap().0, body),
        (true, whole) => {
            let mut text = Vec::new();
            match MultiGzDecoder::new(body).read_to_end(&mut text) {
                Ok(_) => assert_eq!(whole.unwrap().0, text),
                Err(_) => assert!(whole.is_err(), "a damaged log was taken for whole"),
            }
        }
    }
}

fn whole_and_cut(text: &[u8], members: &[Vec<u8>], (seed, cut_at): (u8, usize)) {
    let body = members.concat();
    let (shown, log) = fetch(&pieces(&body, seed), &AMPLE).unwrap();
    assert_eq!(shown, text);
    assert_eq!((log.omitted_bytes, log.truncated), (0, false));

    let cut_at = cut_at % body.len().max(1);
    let mut end = 0;
    let whole_members = members.iter().map(Vec::len).take_while(|length| {
        end += length;
        end <= cut_at
    });
    let between = whole_members.sum::<usize>() == cut_at;
    // Two bytes tell what it is; one is taken for text.
    if !between && cut_at >= 2 {
        let cut = fetch(&pieces(&body[..cut_at], seed), &AMPLE);
        assert!(cut.is_err(), "{cut_at} of {} bytes: {cut:?}", body.len());
    }
}

fn bounded(body: &[u8], seed: u8) {
    let frames = pieces(body, seed);
    let Ok((shown, log)) = fetch(&frames, &SCANT) else {
        return;
    };
    let kept = log.read_bytes - log.omitted_bytes;
    let note = if log.omitted_bytes > 0 { NOTE_BYTES } else { 0 };
    let shown = shown.len() as u64;
    assert!(log.read_bytes <= SCANT.read_bytes);
    assert!(kept <= (SCANT.head_bytes + SCANT.tail_bytes) as u64);
    assert!(
        (kept..=kept + note).contains(&shown),
        "{shown} bytes of {log:?}"
    );
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

/// Fetches a log whose body comes in these frames, as a run does, over a transport in process.
fn fetch(frames: &[&[u8]], limits: &LogLimits) -> Result<(Vec<u8>, FetchedLog), Error> {
    let url = PresignedUrl::parse("http://127.0.0.1:9/log").unwrap();
    let mut text = Vec::new();
    let sink = |bytes: &[u8]| text.extend_from_slice(bytes);
    let client = client(frames);
    let log = runtime().block_on(client.fetch_log(&url, limits, sink))?;
    Ok((text, log))
}

/// A client of a platform that answers everything with a body in these frames.
pub(super) fn client(frames: &[&[u8]]) -> Client {
    let frames: Vec<Bytes> = frames.iter().copied().map(Bytes::copy_from_slice).collect();
    let transport = Transport::new(tower::service_fn(move |_: http::Request<Bytes>| {
        let frames = frames.clone().into_iter();
        let frames = frames.map(|frame| Ok::<_, BoxError>(Frame::data(frame)));
        let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
        async move { Ok(http::Response::new(body)) }
    }));
    let base = "http://127.0.0.1:9".parse().unwrap();
    let client = Client::new(transport, &base, SecretString::from("token")).unwrap();
    client.with_retry(Retry::never())
}

pub(super) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap()
}
